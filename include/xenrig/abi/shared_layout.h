// Where the fields of shared_info and vcpu_info lie for a guest whose word has 32 or 64 bits.
//
// A guest's `unsigned long` is 4 or 8 bytes, which moves everything behind it and says how many ports the 2-level
// layout of event channels has: a word of words. Source: xen.h, arch-x86/xen.h; held against xen/foreign.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xenrig {

struct SharedLayout {
    unsigned word_bits;
    /// In shared_info: the bitmaps, and what a PV guest says of its p2m (arch_shared_info: max_pfn, a word).
    std::size_t evtchn_pending, evtchn_mask, max_pfn;
    /// In vcpu_info.
    std::size_t pending_sel;

    constexpr std::uint32_t ports() const { return word_bits * word_bits; }
    constexpr std::size_t word_bytes() const { return word_bits / 8; }
};

/// One for each of the first 32 vCPUs, at the beginning of shared_info; as large in both.
inline constexpr std::size_t kVcpuInfoBytes = 64, kVcpuInfosBytes = 32 * kVcpuInfoBytes;
/// In vcpu_info, at the same place in both: a byte each, and vcpu_time_info.
inline constexpr std::size_t kUpcallPending = 0, kUpcallMask = 1, kVcpuTime = 32;

inline constexpr SharedLayout kLayout64{.word_bits = 64,
                                        .evtchn_pending = kVcpuInfosBytes,
                                        .evtchn_mask = kVcpuInfosBytes + 512,
                                        .max_pfn = kVcpuInfosBytes + 1024 + 16,
                                        .pending_sel = 8};
inline constexpr SharedLayout kLayout32{.word_bits = 32,
                                        .evtchn_pending = kVcpuInfosBytes,
                                        .evtchn_mask = kVcpuInfosBytes + 128,
                                        .max_pfn = kVcpuInfosBytes + 256 + 12,
                                        .pending_sel = 4};

/// `bits`: 32 or 64.
const SharedLayout& shared_layout(unsigned bits);

}  // namespace xenrig
