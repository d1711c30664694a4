// The 2-level ABI's words in shared_info, as wide as the guest's own (abi/shared_layout.h), through the door.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "xenrig/abi/shared_layout.h"
#include "xenrig/abi/types.h"
#include "xenrig/shared/door.h"

namespace xenrig::guest {

/// A word of either width; of a narrow one the upper half is zero.
using Word = std::uint64_t;

constexpr std::size_t vcpu_info_at(VcpuId vcpu) { return vcpu.value * kVcpuInfoBytes; }
constexpr std::size_t upcall_pending_at(VcpuId vcpu) { return vcpu_info_at(vcpu) + kUpcallPending; }
constexpr std::size_t upcall_mask_at(VcpuId vcpu) { return vcpu_info_at(vcpu) + kUpcallMask; }

constexpr std::size_t selector_at(const SharedLayout& layout, VcpuId vcpu) {
    return vcpu_info_at(vcpu) + layout.pending_sel;
}
constexpr std::size_t pending_at(const SharedLayout& layout, unsigned word) {
    return layout.evtchn_pending + word * layout.word_bytes();
}
constexpr std::size_t mask_at(const SharedLayout& layout, unsigned word) {
    return layout.evtchn_mask + word * layout.word_bytes();
}
constexpr unsigned word_of(const SharedLayout& layout, Port port) { return port.value / layout.word_bits; }
constexpr Word bit_of(const SharedLayout& layout, Port port) { return Word{1} << port.value % layout.word_bits; }

constexpr Word rotated_right(const SharedLayout& layout, Word word, unsigned by) {
    const auto count = static_cast<int>(by);
    return layout.word_bits == 64 ? std::rotr(word, count) : std::rotr(static_cast<std::uint32_t>(word), count);
}

inline Word poll_word(const SharedLayout& layout, const shared::Window& page, std::size_t at) {
    if (layout.word_bits == 64) return shared::load<std::uint64_t>(page, at, shared::Fetch::poll);
    return shared::load<std::uint32_t>(page, at, shared::Fetch::poll);
}
inline void set_bits(const SharedLayout& layout, const shared::Window& page, std::size_t at, Word bits) {
    if (layout.word_bits == 64) return static_cast<void>(shared::fetch_or<std::uint64_t>(page, at, bits));
    shared::fetch_or<std::uint32_t>(page, at, static_cast<std::uint32_t>(bits));
}
inline void clear_bits(const SharedLayout& layout, const shared::Window& page, std::size_t at, Word bits) {
    if (layout.word_bits == 64) return static_cast<void>(shared::fetch_and<std::uint64_t>(page, at, ~bits));
    shared::fetch_and<std::uint32_t>(page, at, static_cast<std::uint32_t>(~bits));
}
/// Its old value; it is zero afterwards.
inline Word take_word(const SharedLayout& layout, const shared::Window& page, std::size_t at) {
    if (layout.word_bits == 64) return shared::exchange<std::uint64_t>(page, at, 0);
    return shared::exchange<std::uint32_t>(page, at, 0);
}

}  // namespace xenrig::guest
