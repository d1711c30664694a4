// The seam between a vCPU of an HVM or PVH guest and its machine's interrupt controllers: the processor's side (is
// there an interrupt, which one) and the registers that a kernel writes.
//
// Modelled are the local APIC of each vCPU (version, enable, end of interrupt; identified as Xen does it, twice the
// vCPU's number) and, for HVM, the IO-APIC of 48 pins with physical destinations. A PIC, priorities below a class,
// messages between processors and the APIC's timer are not: a guest gets its time from elsewhere.
// Source: Intel's SDM 3A (APIC), the 82093AA's data sheet (IO-APIC); Xen's vlapic.c and vioapic.c.
#pragma once

#include <cstdint>
#include <optional>

namespace xenrig {

/// Where the registers lie, in the guest's physical addresses.
inline constexpr std::uint64_t kIoApic = 0xfec0'0000, kLocalApic = 0xfee0'0000;

class Interrupts {
public:
    virtual ~Interrupts() = default;

    /// Would the processor take an interrupt if it took any? Looks without being seen: no choice point.
    virtual bool interrupt_pending() const = 0;
    /// The processor takes one: its vector. Nothing when there is none; a vector callback stays while
    /// evtchn_upcall_pending is set and needs no end of interrupt, all others do.
    virtual std::optional<std::uint8_t> accept_interrupt() = 0;

    /// 32-bit accesses to the registers at kLocalApic and kIoApic. What is not modelled reads as all ones and takes no
    /// write.
    virtual std::uint32_t read_register(std::uint64_t address) = 0;
    virtual void write_register(std::uint64_t address, std::uint32_t value) = 0;
};

}  // namespace xenrig
