#include "sim/hypervisor/io_apic.h"

namespace xenrig::hypervisor {

namespace {

/// From the base: which register, and its window.
constexpr std::uint64_t kSelect = 0x00, kWindow = 0x10;
constexpr std::uint32_t kIdRegister = 0, kVersionRegister = 1, kFirstEntry = 0x10;
constexpr std::uint32_t kVersion = 0x11;
constexpr std::uint64_t kDeliveryStatus = 1 << 12;
/// Fixed, or to the one of lowest priority, which of one destination is the same.
constexpr std::uint64_t kDeliveryMode = 0x7 << 8, kLowestPriority = 1 << 8, kLogical = 1 << 11;

}  // namespace

IoApic::IoApic() { entries_.fill(kMasked); }

IoApicMessage IoApic::message(unsigned pin) const {
    const std::uint64_t entry = entries_[pin];
    return {.destination = static_cast<std::uint8_t>(entry >> 56),
            .vector = static_cast<std::uint8_t>(entry),
            .level = (entry & kLevel) != 0};
}

std::optional<IoApicMessage> IoApic::rises(unsigned pin) {
    if ((entries_[pin] & kMasked) != 0) return std::nullopt;
    if ((entries_[pin] & kLevel) != 0) return again(pin, true);
    return (entries_[pin] & kLogical) == 0 ? std::optional(message(pin)) : std::nullopt;
}

std::optional<IoApicMessage> IoApic::again(unsigned pin, bool up) {
    std::uint64_t& entry = entries_[pin];
    if (!up || (entry & (kMasked | kRemoteIrr)) != 0 || (entry & kLevel) == 0) return std::nullopt;
    const std::uint64_t mode = entry & kDeliveryMode;
    entry |= kRemoteIrr;
    if ((mode != 0 && mode != kLowestPriority) || (entry & kLogical) != 0) return std::nullopt;
    return message(pin);
}

std::uint32_t IoApic::read(std::uint64_t offset) const {
    if (offset == kSelect) return select_;
    if (offset != kWindow) return ~0u;
    if (select_ == kIdRegister) return id_ << 24;
    if (select_ == kVersionRegister) return (kPins - 1) << 16 | kVersion;
    if (select_ < kFirstEntry || select_ >= kFirstEntry + 2 * kPins) return 0;
    const std::uint64_t entry = entries_[(select_ - kFirstEntry) / 2];
    return static_cast<std::uint32_t>(select_ % 2 == 0 ? entry : entry >> 32);
}

std::optional<unsigned> IoApic::changed(std::uint64_t offset, std::uint32_t value) {
    if (offset == kSelect) select_ = value & 0xff;
    if (offset != kWindow) return std::nullopt;
    if (select_ == kIdRegister) id_ = value >> 24 & 0xf;
    if (select_ < kFirstEntry || select_ >= kFirstEntry + 2 * kPins) return std::nullopt;
    const unsigned pin = (select_ - kFirstEntry) / 2;
    std::uint64_t& entry = entries_[pin];
    if (select_ % 2 != 0) {
        entry = static_cast<std::uint32_t>(entry) | std::uint64_t{value} << 32;
        return std::nullopt;
    }
    // Whether its interrupt is under way is not the guest's to write; a pin that becomes an edge forgets it.
    entry = (entry & (0xffff'ffffull << 32 | kRemoteIrr)) | (value & ~(kRemoteIrr | kDeliveryStatus));
    if ((entry & kLevel) == 0) entry &= ~kRemoteIrr;
    return pin;
}

void IoApic::load(const Saved& saved) {
    select_ = saved.select;
    id_ = saved.id;
    entries_ = saved.entries;
}

}  // namespace xenrig::hypervisor
