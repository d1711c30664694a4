// A vCPU's local APIC, as far as events come through it: what was requested, what is in service, which of them came
// from a level line.
//
// State is the page of registers that a guest sees and that Xen saves (hvm/save.h: LAPIC_REGS; x86/hvm/vlapic.c).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace xenrig::hypervisor {

class LocalApic {
public:
    explicit LocalApic(std::uint32_t vcpu);

    /// As other devices name it.
    std::uint8_t id() const { return static_cast<std::uint8_t>(at(kId) >> 24); }
    /// By the guest, in the spurious-interrupt register.
    bool enabled() const { return (at(kSpurious) & kEnable) != 0; }
    /// Requests an interrupt; one that is requested already is one (vlapic_set_irq).
    void raise(std::uint8_t vector, bool level);
    /// The highest request of a class above those in service.
    std::optional<std::uint8_t> pending() const;
    /// From requested to in service.
    void accept(std::uint8_t vector);
    /// The highest in service ends. The vector of a level line's, whose source wants to know.
    std::optional<std::uint8_t> end_of_interrupt();

    std::uint32_t read(std::size_t offset) const;
    /// A register that is no matter here keeps what it has.
    void write_spurious(std::uint32_t value) { at(kSpurious) = value & 0x1ff; }

    static constexpr std::size_t kEoi = 0xb0, kSpurious = 0xf0;

    /// LAPIC_REGS: 1024 bytes.
    static constexpr std::size_t kSavedBytes = 1024;
    std::array<std::byte, kSavedBytes> saved() const;
    void load(std::span<const std::byte, kSavedBytes> saved);

private:
    static constexpr std::size_t kId = 0x20, kVersion = 0x30, kInService = 0x100, kLevel = 0x180, kRequested = 0x200;
    static constexpr std::uint32_t kEnable = 0x100;

    std::uint32_t& at(std::size_t offset) { return registers_[offset / 16]; }
    std::uint32_t at(std::size_t offset) const { return registers_[offset / 16]; }
    /// Eight registers hold a bit for each vector.
    bool test(std::size_t set, std::uint8_t vector) const {
        return (at(set + vector / 32 * 16u) >> vector % 32 & 1) != 0;
    }
    void change(std::size_t set, std::uint8_t vector, bool on);
    std::optional<std::uint8_t> highest(std::size_t set) const;

    /// Registers are 16 bytes apart, 4 wide.
    std::array<std::uint32_t, kSavedBytes / 16> registers_{};
};

}  // namespace xenrig::hypervisor
