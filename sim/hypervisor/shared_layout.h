// Where the fields of shared_info and vcpu_info lie for a 32- and a 64-bit guest, and atomics on their words.
//
// A guest's `unsigned long` is 4 or 8 bytes, which moves everything behind it (xen.h; arch-x86/xen.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "sim/hypervisor/xen_abi.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

struct SharedLayout {
    unsigned word_bits;  ///< of the guest's unsigned long
    std::size_t evtchn_pending;
    std::size_t evtchn_mask;
    std::size_t pending_sel;  ///< in vcpu_info

    std::uint32_t ports() const { return word_bits * word_bits; }
};

inline constexpr std::size_t kVcpuInfoBytes = sizeof(vcpu_info_t);
inline constexpr std::size_t kVcpuInfosBytes = XEN_LEGACY_MAX_VCPUS * kVcpuInfoBytes;
inline constexpr SharedLayout kLayout64{64, kVcpuInfosBytes, kVcpuInfosBytes + 512, 8};
inline constexpr SharedLayout kLayout32{32, kVcpuInfosBytes, kVcpuInfosBytes + 128, 4};
static_assert(kLayout64.evtchn_pending == offsetof(shared_info_t, evtchn_pending));
static_assert(kLayout64.evtchn_mask == offsetof(shared_info_t, evtchn_mask));
static_assert(kLayout64.pending_sel == offsetof(vcpu_info_t, evtchn_pending_sel));

/// The same in both (xen.h: struct vcpu_info).
inline constexpr std::size_t kUpcallPending = offsetof(vcpu_info_t, evtchn_upcall_pending);
inline constexpr std::size_t kUpcallMask = offsetof(vcpu_info_t, evtchn_upcall_mask);

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
