// An HVM guest's IO-APIC: 48 pins, each with an entry that says to which vCPU and as what vector its interrupt goes.
//
// A pin's line is level or edge as its entry says; a level one is told once and again only at its end of interrupt, for
// as long as it is up (x86/hvm/vioapic.c; Intel 82093AA).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace xenrig::hypervisor {

/// What a pin tells a local APIC.
struct IoApicMessage {
    std::uint8_t destination = 0, vector = 0;
    bool level = false;
};

class IoApic {
public:
    static constexpr unsigned kPins = 48;

    /// All pins are masked.
    IoApic();

    /// A line has come up (vioapic_irq_positive_edge).
    std::optional<IoApicMessage> rises(unsigned pin);
    /// A level interrupt of this vector has ended: pins that have it and whose line, by `up`, is still there.
    template <class Up, class Tell>
    void end_of_interrupt(std::uint8_t vector, Up up, Tell tell) {
        for (unsigned pin = 0; pin < kPins; ++pin) {
            if (static_cast<std::uint8_t>(entries_[pin]) != vector) continue;
            entries_[pin] &= ~kRemoteIrr;
            if (const auto message = again(pin, up(pin))) tell(*message);
        }
    }

    /// The register that `select` chose, and the choice itself.
    std::uint32_t read(std::uint64_t offset) const;
    /// A pin that becomes ready while its line is up tells so now; `up` says which lines are.
    template <class Up>
    std::optional<IoApicMessage> write(std::uint64_t offset, std::uint32_t value, Up up) {
        const auto pin = changed(offset, value);
        return pin ? again(*pin, up(*pin)) : std::nullopt;
    }

    struct Saved {
        std::uint32_t select = 0, id = 0;
        std::array<std::uint64_t, kPins> entries{};
    };
    Saved saved() const { return {select_, id_, entries_}; }
    void load(const Saved& saved);

    static constexpr std::uint64_t kRemoteIrr = 1 << 14, kLevel = 1 << 15, kMasked = 1 << 16;

private:
    IoApicMessage message(unsigned pin) const;
    /// A level pin whose line is up and of whose interrupt nobody was told.
    std::optional<IoApicMessage> again(unsigned pin, bool up);
    /// The pin whose lower half was written.
    std::optional<unsigned> changed(std::uint64_t offset, std::uint32_t value);

    std::uint32_t select_ = 0, id_ = 0;
    std::array<std::uint64_t, kPins> entries_;
};

}  // namespace xenrig::hypervisor
