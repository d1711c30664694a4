// Atomics on the bits of words that the hypervisor shares with a guest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "xenrig/abi/shared_layout.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

/// x86's bit operations don't mind the width of the word, so 32-bit words serve both layouts.
inline bool test_bit(const std::byte* words, std::uint32_t bit) {
    return (shared::raw::load<std::uint32_t>(words + bit / 32 * 4) >> bit % 32 & 1) != 0;
}
inline bool test_and_set_bit(std::byte* words, std::uint32_t bit) {
    const std::uint32_t one = 1u << bit % 32;
    return (shared::raw::rmw<std::uint32_t>(words + bit / 32 * 4, shared::Rmw::fetch_or, one, 0) & one) != 0;
}
inline bool test_and_clear_bit(std::byte* words, std::uint32_t bit) {
    const std::uint32_t one = 1u << bit % 32;
    return (shared::raw::rmw<std::uint32_t>(words + bit / 32 * 4, shared::Rmw::fetch_and, ~one, 0) & one) != 0;
}

}  // namespace xenrig::hypervisor
