#include "sim/hypervisor/local_apic.h"

#include <bit>
#include <cstring>

namespace xenrig::hypervisor {

namespace {

/// An integrated APIC with six entries of its local vector table (VLAPIC_VERSION).
constexpr std::uint32_t kApicVersion = 0x0005'0014;
/// Below these are exceptions; a local APIC that is asked for one notes an error.
constexpr std::uint8_t kVectorMin = 16;
constexpr std::uint32_t kSpuriousAfterReset = 0xff;

}  // namespace

LocalApic::LocalApic(std::uint32_t vcpu) {
    at(kId) = vcpu * 2 << 24;
    at(kVersion) = kApicVersion;
    at(kSpurious) = kSpuriousAfterReset;
}

void LocalApic::change(std::size_t set, std::uint8_t vector, bool on) {
    std::uint32_t& word = at(set + vector / 32 * 16u);
    const std::uint32_t bit = 1u << vector % 32;
    word = on ? word | bit : word & ~bit;
}

std::optional<std::uint8_t> LocalApic::highest(std::size_t set) const {
    for (unsigned word = 8; word-- != 0;)
        if (const std::uint32_t bits = at(set + word * 16u))
            return static_cast<std::uint8_t>(word * 32 + 31 - static_cast<unsigned>(std::countl_zero(bits)));
    return std::nullopt;
}

void LocalApic::raise(std::uint8_t vector, bool level) {
    if (vector < kVectorMin) return;
    change(kLevel, vector, level);
    change(kRequested, vector, true);
}

std::optional<std::uint8_t> LocalApic::pending() const {
    if (!enabled()) return std::nullopt;
    const auto requested = highest(kRequested);
    const auto in_service = highest(kInService);
    constexpr unsigned kClass = 16;
    if (requested && in_service && *requested / kClass <= *in_service / kClass) return std::nullopt;
    return requested;
}

void LocalApic::accept(std::uint8_t vector) {
    change(kRequested, vector, false);
    change(kInService, vector, true);
}

std::optional<std::uint8_t> LocalApic::end_of_interrupt() {
    const auto vector = highest(kInService);
    if (!vector) return std::nullopt;
    change(kInService, *vector, false);
    return test(kLevel, *vector) ? vector : std::nullopt;
}

std::uint32_t LocalApic::read(std::size_t offset) const {
    return offset < kSavedBytes && offset % 16 == 0 ? at(offset) : ~0u;
}

std::array<std::byte, LocalApic::kSavedBytes> LocalApic::saved() const {
    std::array<std::byte, kSavedBytes> bytes{};
    for (std::size_t i = 0; i < registers_.size(); ++i)
        std::memcpy(bytes.data() + i * 16, &registers_[i], sizeof registers_[i]);
    return bytes;
}

void LocalApic::load(std::span<const std::byte, kSavedBytes> saved) {
    for (std::size_t i = 0; i < registers_.size(); ++i)
        std::memcpy(&registers_[i], saved.data() + i * 16, sizeof registers_[i]);
}

}  // namespace xenrig::hypervisor
