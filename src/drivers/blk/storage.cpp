#include "xenrig/drivers/blk/storage.h"

namespace xenrig::blk {

namespace {

class Busy {
public:
    explicit Busy(std::atomic_flag& flag) : flag_(flag) {
        while (flag_.test_and_set(std::memory_order_acquire)) {
        }
    }
    ~Busy() { flag_.clear(std::memory_order_release); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

private:
    std::atomic_flag& flag_;
};

}  // namespace

void SizeWatchers::add(SizeWatch watch) {
    const Busy held(busy_);
    std::erase_if(watches_, [](const SizeWatch& w) { return w.expired(); });
    watches_.push_back(std::move(watch));
}

void SizeWatchers::tell() {
    std::vector<SizeWatch> watches;
    {
        const Busy held(busy_);
        watches = watches_;
    }
    for (const SizeWatch& watch : watches)
        if (const auto changed = watch.lock()) (*changed)();
}

void complete(StorageOpPtr op, Result<> result) {
    op->result = std::move(result);
    const auto done = std::move(op->done);
    done(std::move(op));
}

}  // namespace xenrig::blk
