// What a backend is told of in any context, for its next step to look at.
#pragma once

#include <atomic>
#include <cstdint>

#include "xenrig/drivers/blk/blkback.h"

namespace xenrig::blk {

struct Blkback::News {
    std::atomic<bool> resized = false;
    /// Somebody may have changed the drive's medium.
    std::atomic<bool> medium = false;
    /// The disk's size as rings hold requests against it.
    std::atomic<std::uint64_t> units = 0;
};

}  // namespace xenrig::blk
