// A domain's physical interrupts: the numbers by which it knows lines of the machine, and the ports that they come on
// (x86/irq.c: map_domain_pirq; physdev.c).
//
// A pirq is mapped to a line by a control domain and bound to a port by the domain itself. What is unmapped while it is
// bound keeps its numbers, negated, until the port is closed. An HVM guest's pirqs stand for lines of its own virtual
// chipset, or for nothing yet.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>

#include "sim/hypervisor/machine_interrupts.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class Host;

class Pirqs {
public:
    Pirqs(Host& host, Domain& domain);

    /// d->nr_pirqs: numbers below it are valid.
    std::int32_t count() const;
    /// The pirq of a line, allocated when `wanted` is negative; 0 or a negated Errno, like all that follow.
    std::int64_t map_gsi(Domain& caller, std::int32_t gsi, std::int32_t& wanted);
    /// Messages (MSI) of a device, by the interrupt `index` or by one that is made for it; ENODEV is the best that
    /// comes of it, for no device here sends any.
    static constexpr std::int32_t kNewIrq = -1;
    std::int64_t map_message(std::int32_t index, std::int32_t& wanted);
    std::int64_t map_messages(std::int32_t count, std::int32_t& wanted);
    /// A line of an HVM guest's own chipset, which it maps for itself.
    std::int64_t map_virtual(std::int32_t line, std::int32_t& wanted);
    std::int64_t unmap(std::int32_t pirq);
    std::int64_t unmap_virtual(std::int32_t pirq);
    bool is_virtual(std::int32_t pirq) const;
    /// PHYSDEVOP_get_free_pirq: the number is taken until it is mapped. ENOSPC.
    std::int64_t allocate(bool for_line);

    std::int64_t may_bind(std::uint32_t pirq) const;
    std::int64_t bind(std::uint32_t pirq, Port port, bool share);
    /// The port is closed.
    void unbind(std::uint32_t pirq);

    std::int64_t eoi(std::uint32_t pirq);
    /// XENIRQSTAT_*.
    std::int64_t status(std::uint32_t pirq, std::uint32_t& flags) const;
    /// PHYSDEVOP_pirq_eoi_gmfn: a bit for each pirq that needs an end; in version 1 that end unmasks the port, too.
    std::int64_t register_eoi_page(std::uint64_t gmfn, bool auto_unmask);
    /// PHYSDEVOP_IRQ_UNMASK_NOTIFY: ends what waits on ports that are not masked.
    void end_unmasked();
    /// A line has come.
    void deliver(Irq irq);

    std::optional<Mfn> eoi_frame() const { return eoi_frame_; }
    /// A dying domain's.
    void release();

private:
    struct Pirq {
        /// 0: none; negative: of a line that was taken away; kReserved: given out by allocate().
        Irq irq = 0;
        Port port{0};
        /// Of the virtual chipset.
        std::optional<std::int32_t> line;
        bool waits = false;  ///< for its end
    };
    static constexpr Irq kReserved = -static_cast<Irq>(MachineInterrupts::kIrqs);

    Irq irq_of(std::int64_t pirq) const;
    std::int32_t pirq_of(Irq irq) const;
    bool free(std::int32_t pirq) const;
    /// The lowest line's number, or the highest of the others.
    std::int64_t find_free(bool for_line);
    void forget_if_unused(std::int32_t pirq);

    Host& host_;
    Domain& domain_;
    std::map<std::int32_t, Pirq> pirqs_;
    std::map<Irq, std::int32_t> by_irq_;
    /// Lines that the domain may use (irq_caps).
    std::bitset<MachineInterrupts::kLines> permitted_;
    std::optional<Mfn> eoi_frame_;
    bool auto_unmask_ = false;
};

}  // namespace xenrig::hypervisor
