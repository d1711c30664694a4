// What the machine knows of one frame (Xen's struct page_info).
#pragma once

#include <atomic>
#include <cstdint>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

/// `ram` is a domain's own and counts against its reservation; `special` is what the hypervisor shares with it
/// (shared_info, grant frames, status frames).
enum class FrameKind : std::uint8_t { ram, special };

struct FrameInfo {
    /// Where its owner sees it.
    Gfn gfn{};
    /// Written by the hypervisor, one at a time; read by page() from anywhere.
    std::atomic<std::uint32_t> uses{0};
    DomId owner{};
    FrameKind kind = FrameKind::ram;
    /// page() has given its address away since it was allocated.
    std::atomic<bool> touched{false};
};

}  // namespace xenrig::hypervisor
