// Guest frame numbers with nothing behind them: where shared_info, grant frames and other domains' pages are mapped.
//
// A number that was given back is used again as late as possible, so that a stale one is found out.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"

namespace xenrig::guest {

struct GfnRange {
    Gfn first;
    std::uint64_t count = 0;  ///< frames
};

class GfnPool {
public:
    explicit GfnPool(GfnRange range);

    /// ENOMEM when none is left.
    Result<Gfn> take();
    void give(Gfn gfn);

private:
    /// Held without a choice point inside.
    std::mutex mutex_;
    /// Never taken yet.
    GfnRange fresh_;
    std::deque<Gfn> free_;
};

}  // namespace xenrig::guest
