// How events come to an HVM or PVH guest (x86/hvm/irq.c): by the way that HVM_PARAM_CALLBACK_IRQ says, or by a vector
// of each vCPU's local APIC (HVMOP_set_evtchn_upcall_vector). Without any there are no upcalls.
//
// A vector is there on each vCPU as long as its evtchn_upcall_pending is. A GSI or PCI INTx is a level line that
// follows vCPU 0's alone: it comes up when the bit is set, and falls when Xen sees the bit clear, which is at the
// guest's next exit (a hypercall, a write to a controller). evtchn_upcall_mask is no matter. A PVH guest has no
// IO-APIC, so that only vectors are to be had. Inside the hypervisor only.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>

#include "sim/hypervisor/io_apic.h"
#include "sim/hypervisor/local_apic.h"

namespace xenrig::hypervisor {

class Domain;
class Vcpu;

class HvmInterrupts {
public:
    explicit HvmInterrupts(Domain& domain) : domain_(domain) {}

    /// HVM_PARAM_CALLBACK_IRQ was set; a line that is up moves along (hvm_set_callback_via).
    void set_callback(std::uint64_t via);
    /// Do upcalls come by vectors, so that physical interrupts can be events, too (is_hvm_pv_evtchn_domain)?
    bool by_vector() const;
    /// Each vCPU's evtchn_upcall_pending is an interrupt.
    bool callback_vector() const { return via_.type == Type::vector; }
    std::uint8_t vector() const { return via_.vector; }

    /// The vCPU's evtchn_upcall_pending was set (hvm_assert_evtchn_irq).
    void events_pending(Vcpu& v);
    /// The guest has left its own code (hvm_maybe_deassert_evtchn_irq).
    void exit();

    std::uint32_t read(const Vcpu& v, std::uint64_t address) const;
    void write(Vcpu& v, std::uint64_t address, std::uint32_t value);

    /// Records of Xen's hvm/save.h: IOAPIC, PCI_IRQ, PCI_LINK. What asserts a line is not in them: the new domain sees
    /// its own events.
    struct Saved {
        IoApic::Saved io_apic;
        std::array<std::uint8_t, 4> routes{};
    };
    Saved saved() const { return {io_apic_.saved(), routes_}; }
    void load(const Saved& saved);

    /// Is the callback's line up, and the line of a pin?
    bool asserted() const { return asserted_; }
    bool up(unsigned gsi) const { return asserts_[gsi] != 0; }

private:
    enum class Type : std::uint8_t { none, gsi, pci_intx, vector };
    struct Via {
        Type type = Type::none;
        std::uint8_t gsi = 0, device = 0, intx = 0, vector = 0;
    };

    bool has_io_apic() const;
    static Via parse(std::uint64_t value);
    /// Of the callback's way.
    void raise();
    void lower();
    void raise_gsi(unsigned gsi);
    void lower_gsi(unsigned gsi) { --asserts_[gsi]; }
    void raise_intx(unsigned device, unsigned intx);
    void lower_intx(unsigned device, unsigned intx);
    /// The line becomes what vCPU 0's bit says.
    void follow();
    void deliver(const IoApicMessage& message);

    Domain& domain_;
    Via via_;
    bool asserted_ = false;
    IoApic io_apic_;
    /// How many sources hold each line up, and each of the four links of PCI interrupts to ISA's.
    std::array<unsigned, IoApic::kPins> asserts_{};
    std::array<unsigned, 4> link_asserts_{};
    /// As hvmloader routes them: by the ISA interrupts that are free, in turn.
    std::array<std::uint8_t, 4> routes_{5, 10, 11, 5};
    /// Four of each device.
    std::bitset<128> intx_;
};

}  // namespace xenrig::hypervisor
