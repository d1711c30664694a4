// A request to a block device as its user sees it: what to do with which pages, and what is called when it is done.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

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

/// 16 MiB, whatever the backend takes in one request.
inline constexpr std::size_t kOperationSegmentsMax = 4096;

/// Belongs to the user, and must stay where it is from submit() until `done` is called.
struct BlkOp {
    /// A barrier is a write that is done after all that was submitted before it, and durable when it is answered.
    enum class Kind : std::uint8_t { read, write, flush, discard, barrier };

    Kind kind = Kind::read;
    std::uint64_t sector = 0;  ///< units of 512 bytes, whatever the disk's sector size
    /// Of a read or a write, up to kOperationSegmentsMax: what is too much for one request goes as several, a few at a
    /// time where the ring is small. Of a barrier, up to eleven.
    std::vector<BlkSegment> segments;
    std::uint64_t units = 0;  ///< a discard's length, 512 bytes each
    bool secure = false;      ///< a discard's: nobody can bring the data back

    /// Runs once, in a task of the driver's, which holds no lock meanwhile: may submit, must not wait for this device.
    /// It is moved out before it runs, so the operation may be destroyed in it.
    std::function<void(BlkOp&)> done;

    /// The answer. EIO: the backend could not. EOPNOTSUPP: it does not do that. EROFS, EINVAL: it was not asked. The
    /// device's own error (ENODEV, EINVAL) when it closed with this unanswered.
    Result<> result;

    /// The driver's own from submit() until `done` is called.
    struct {
        std::uint64_t turn = 0;        ///< rises in the order in which operations go onto rings
        std::size_t segments_put = 0;  ///< on the ring, or answered
        std::uint64_t units_put = 0;   ///< 512 bytes each
        std::uint32_t requests = 0;    ///< on the ring
        bool all_put = false;
    } progress;
};

}  // namespace xenrig::blk
