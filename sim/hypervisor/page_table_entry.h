// An x86 page-table entry of a PV guest, with the flags as Xen counts them: the lowest 12 bits and the highest 12
// (x86_64/page.h: get_pte_flags). PAE's entries are the same; its tables have three levels.
#pragma once

#include <cstdint>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

inline constexpr std::uint32_t kPresent = 1 << 0, kWritable = 1 << 1, kUser = 1 << 2, kWriteThrough = 1 << 3,
                               kCacheDisabled = 1 << 4, kAccessed = 1 << 5, kDirtyBit = 1 << 6, kLarge = 1 << 7,
                               kGlobal = 1 << 8, kAvailable = 7 << 9;
/// Bit 52 of an entry: Xen's mark of a page that is the guest kernel's, since everything of a guest's is user here.
inline constexpr std::uint32_t kGuestKernel = 1 << 12;
/// Bit 62.
inline constexpr std::uint32_t kGrantTableBit = 1 << 22;
inline constexpr std::uint32_t kNoExecute = 1 << 23;

struct PageTableEntry {
    std::uint64_t value = 0;

    static constexpr PageTableEntry of(Mfn mfn, std::uint32_t flags) {
        return {mfn.value << 12 | (flags & 0xfff) | std::uint64_t{flags & ~0xfffu} << 40};
    }
    constexpr std::uint32_t flags() const {
        return static_cast<std::uint32_t>(value & 0xfff) | static_cast<std::uint32_t>(value >> 40 & 0xfff000);
    }
    constexpr Mfn mfn() const { return Mfn{value >> 12 & 0xff'ffff'ffff}; }
    constexpr bool present() const { return (value & kPresent) != 0; }
    constexpr bool writable() const { return (value & kWritable) != 0; }
    constexpr PageTableEntry with(std::uint32_t more) const { return of(mfn(), flags() | more); }
    friend constexpr bool operator==(const PageTableEntry&, const PageTableEntry&) = default;
};

/// What no guest's entry may have (BASE_DISALLOW_MASK): how it is cached, large pages, global ones, and the bits that
/// no processor knows.
inline constexpr std::uint32_t kDisallowed = 0xff800198u & ~kNoExecute;
/// L1_DISALLOW_MASK of a domain without devices; one with devices may have its pages cached otherwise.
inline constexpr std::uint32_t kDisallowedL1 = (kDisallowed | kGrantTableBit) & ~kGlobal;
inline constexpr std::uint32_t kCaching = kWriteThrough | kCacheDisabled | kLarge;

/// As it stands in the table afterwards (adjust_guest_l1e, adjust_guest_l2e).
constexpr PageTableEntry adjusted(PageTableEntry e, unsigned level, bool bits_64) {
    if (!e.present() || !bits_64) return e;
    if (level != 1) return e.with(kUser);
    if ((e.flags() & kUser) == 0) return e.with(kGuestKernel | kUser);
    return (e.flags() & kGuestKernel) == 0 ? e.with(kGlobal | kUser) : e;
}

}  // namespace xenrig::hypervisor
