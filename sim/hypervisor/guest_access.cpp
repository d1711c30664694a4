#include "sim/hypervisor/guest_access.h"

#include <cstring>

namespace xenrig::hypervisor {

namespace {

/// The lowest 64 KiB (mmap_min_addr) and the upper half of the canonical addresses are never a program's own.
bool mapped(std::uint64_t address, std::size_t bytes) {
    constexpr std::uint64_t kLowest = 0x1'0000;
    constexpr std::uint64_t kEnd = 0x8000'0000'0000;
    return address >= kLowest && address < kEnd && bytes <= kEnd - address;
}

}  // namespace

bool ProcessAccess::copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) {
    if (!mapped(from, bytes)) return false;
    std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return true;
}

bool ProcessAccess::copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) {
    if (!mapped(to, bytes)) return false;
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
    return true;
}

GuestAccess* ProcessAccess::lasting() {
    static ProcessAccess process;
    return &process;
}

}  // namespace xenrig::hypervisor
