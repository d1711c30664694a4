// What a PVH guest's toolstack tells it when it boots: its memory and its command line (arch-x86/hvm/start_info.h).
//
// Read once, at boot: the page is the guest's own from then on, and after a migration what it says is old.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "xenrig/abi/error.h"
#include "xenrig/guest/gfn_pool.h"

namespace xenrig::guest {

class GuestMemory;

/// Bytes of the guest's physical addresses; `type` is XEN_HVM_MEMMAP_TYPE_*.
struct MemoryRange {
    std::uint64_t address = 0, size = 0;
    std::uint32_t type = 0;
};

struct HvmStart {
    /// Empty where the page is of version 0, or has no map.
    std::vector<MemoryRange> memory;
    std::string cmd_line;

    /// Is all of it RAM by the map?
    bool has_ram(GfnRange frames) const;
};

/// From the address that the first vCPU finds in %ebx. EINVAL for what is no such page, or points beyond the guest's
/// memory.
Result<HvmStart> read_hvm_start(GuestMemory& memory, std::uint64_t address);

}  // namespace xenrig::guest
