// The records of an HVM context, one by one: what a fresh device says, and what it takes back (arch/x86/hvm: hvm.c,
// vlapic.c, mtrr.c; cpu/mcheck/vmce.c).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sim/hypervisor/xen_abi.h"

// They ask for anonymous structs, which every compiler that we take has.
#pragma push_macro("__STRICT_ANSI__")
#undef __STRICT_ANSI__
#include <xen/hvm/save.h>
#pragma pop_macro("__STRICT_ANSI__")

namespace xenrig::hypervisor {

class Domain;

/// struct hvm_save_descriptor
struct HvmDescriptor {
    std::uint16_t type, instance;
    std::uint32_t length;
};
static_assert(sizeof(HvmDescriptor) == sizeof(hvm_save_descriptor));

/// struct hvm_save_header
struct HvmHeader {
    std::uint32_t magic, version;
    std::uint64_t changeset;
    std::uint32_t cpuid, tsc_khz;
    static HvmHeader of_host();
};
static_assert(sizeof(HvmHeader) == sizeof(hvm_save_header));

struct HvmRecordBytes {
    static constexpr std::uint32_t cpu = sizeof(hvm_hw_cpu), pic = sizeof(hvm_hw_vpic), ioapic = sizeof(hvm_hw_vioapic),
                                   lapic = sizeof(hvm_hw_lapic), lapic_registers = sizeof(hvm_hw_lapic_regs),
                                   pci_irq = sizeof(hvm_hw_pci_irqs), isa_irq = sizeof(hvm_hw_isa_irqs),
                                   pci_link = sizeof(hvm_hw_pci_link), pit = sizeof(hvm_hw_pit),
                                   rtc = sizeof(hvm_hw_rtc), hpet = sizeof(hvm_hw_hpet),
                                   pm_timer = sizeof(hvm_hw_pmtimer), mtrr = sizeof(hvm_hw_mtrr),
                                   viridian_domain = sizeof(hvm_viridian_domain_context),
                                   viridian_vcpu = sizeof(hvm_viridian_vcpu_context), vmce = sizeof(hvm_vmce_vcpu),
                                   tsc_adjust = sizeof(hvm_tsc_adjust);
};

/// Of a vCPU after its reset, with the registers of setvcpucontext where there was one.
hvm_hw_cpu fresh_cpu(const vcpu_guest_context_t* context);
hvm_hw_lapic fresh_lapic(std::uint32_t vcpu);
hvm_hw_lapic_regs fresh_lapic_registers(std::uint32_t vcpu);
hvm_hw_mtrr fresh_mtrr();
hvm_vmce_vcpu fresh_vmce();

bool acceptable(const hvm_hw_cpu& cpu, const Domain& d);
bool acceptable(const hvm_hw_lapic& lapic);
bool acceptable(const hvm_hw_mtrr& mtrr);
bool acceptable(const hvm_vmce_vcpu& vmce);
/// A list of registers, of which the processor has none (CPU_MSR). 0 or a negated Errno.
std::int64_t check_msrs(std::span<const std::byte> data);

/// Without what a vCPU does not keep.
hvm_hw_cpu as_loaded(hvm_hw_cpu cpu);
/// What a save says of it: the first variable range in the place of each.
hvm_hw_mtrr as_saved(hvm_hw_mtrr mtrr);

}  // namespace xenrig::hypervisor
