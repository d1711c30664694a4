// The machine's interrupt lines, GSI 0 to 23 of its I/O APIC, and who serves them: the hypervisor itself or domains
// (x86/irq.c: irq_desc, irq_guest_action_t).
//
// A level line that was raised stays in service until every domain that it went to has ended it (PHYSDEVOP_eoi);
// meanwhile it is only remembered that it is up again. An edge is sent on and forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace xenrig::hypervisor {

class Domain;

/// A line's number on this machine: its GSI, which is its IRQ.
using Irq = std::int32_t;

class MachineInterrupts {
public:
    static constexpr Irq kLines = 24;
    /// nr_irqs: lines, and vectors for messages.
    static constexpr std::uint32_t kIrqs = 208;

    MachineInterrupts();

    static bool is_line(std::int64_t irq) { return irq >= 0 && irq < kLines; }
    /// PHYSDEVOP_setup_gsi: how the line signals, said once. False when that was known already.
    bool set_up(Irq irq, bool level);
    /// One that needs an end (ACKTYPE_EOI, not ACKTYPE_NONE).
    bool needs_eoi(Irq irq) const { return lines_[index(irq)].level; }
    /// False when the line is the hypervisor's own, or another domain's and not to be shared.
    bool bind(Irq irq, Domain& to, bool share);
    void unbind(Irq irq, Domain& from);
    bool shared(Irq irq) const { return lines_[index(irq)].served_by.size() > 1; }

    /// The device raises its line.
    void raise(Irq irq);
    /// A domain has served it.
    void end(Irq irq, Domain& by);

private:
    struct Line {
        bool level = false, set_up = false, ours = false, shareable = false, up_again = false;
        std::vector<Domain*> served_by;
        /// Those that have not ended it.
        std::vector<Domain*> in_service;
    };
    static std::size_t index(Irq irq) { return static_cast<std::size_t>(irq); }

    std::array<Line, kLines> lines_{};
};

}  // namespace xenrig::hypervisor
