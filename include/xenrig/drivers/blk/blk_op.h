// A request to a block device as its user sees it: what to do with which pages, and what is called when it is done.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"
#include "xenrig/platform/memory.h"

namespace xenrig::blk {

/// Part of one page: sectors `first` to `last` of it, both included, in units of 512 bytes (0 to 7).
struct BlkSegment {
    Gfn gfn;
    std::uint8_t first = 0;
    std::uint8_t last = 7;
    /// What keeps the page from being used again while a backend may still map it; null for a page that is never freed.
    FramePtr keep;
};

/// Belongs to the user, and must stay where it is from submit() until `done` is called.
struct BlkOp {
    enum class Kind : std::uint8_t { read, write, flush };
    /// blkif.h: BLKIF_MAX_SEGMENTS_PER_REQUEST.
    static constexpr std::size_t kSegmentsMax = 11;

    Kind kind = Kind::read;
    std::uint64_t sector = 0;  ///< units of 512 bytes, whatever the disk's sector size
    std::array<BlkSegment, kSegmentsMax> segments{};
    std::uint8_t segment_count = 0;  ///< 1 to 11; 0 for a flush

    /// Runs once, in a task of the driver's, which holds no lock meanwhile: may submit, must not wait for this device.
    /// It is moved out before it runs, so the operation may be destroyed in it.
    std::function<void(BlkOp&)> done;

    /// The answer. EIO: the backend could not. EOPNOTSUPP: it does not do that. EROFS, EINVAL: it was not asked. The
    /// device's own error (ENODEV, EINVAL) when it closed with this unanswered.
    Result<> result;
};

}  // namespace xenrig::blk
