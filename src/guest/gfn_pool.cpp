#include "xenrig/guest/gfn_pool.h"

namespace xenrig::guest {

GfnPool::GfnPool(GfnRange range) {
    for (std::uint64_t i = 0; i < range.count; ++i) free_.push_back(Gfn{range.first.value + i});
}

Result<Gfn> GfnPool::take() {
    const std::lock_guard held(mutex_);
    if (free_.empty()) return fail(Errno::nomem, "no unpopulated guest frame number is left to map at");
    const Gfn gfn = free_.front();
    free_.pop_front();
    return gfn;
}

void GfnPool::give(Gfn gfn) {
    const std::lock_guard held(mutex_);
    free_.push_back(gfn);
}

}  // namespace xenrig::guest
