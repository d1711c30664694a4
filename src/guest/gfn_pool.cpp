#include "xenrig/guest/gfn_pool.h"

namespace xenrig::guest {

GfnPool::GfnPool(GfnRange range) : fresh_(range) {}

Result<Gfn> GfnPool::take() {
    const std::lock_guard held(mutex_);
    if (fresh_.count != 0) {
        const Gfn gfn = fresh_.first;
        fresh_ = {Gfn{gfn.value + 1}, fresh_.count - 1};
        return gfn;
    }
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
