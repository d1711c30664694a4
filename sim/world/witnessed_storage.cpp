#include "sim/world/witnessed_storage.h"

#include <algorithm>
#include <mutex>

#include "xenrig/platform/scheduler.h"

namespace xenrig::world {

DiskUse::Opener DiskUse::opened() {
    const std::lock_guard held(lock_);
    return ++openers_;
}

bool DiskUse::begin(Opener opener) {
    const std::lock_guard held(lock_);
    ++under_way_[opener];
    return std::none_of(under_way_.begin(), under_way_.end(),
                        [&](const auto& o) { return o.first != opener && o.second != 0; });
}

void DiskUse::end(Opener opener) {
    const std::lock_guard held(lock_);
    // After a reset nobody is listed, and nothing is answered.
    if (const auto found = under_way_.find(opener); found != under_way_.end()) --found->second;
}

void DiskUse::reset() {
    const std::lock_guard held(lock_);
    under_way_.clear();
}

WitnessedStorage::WitnessedStorage(std::shared_ptr<blk::Storage> inner, std::shared_ptr<DiskUse> use,
                                   std::function<void(const blk::StorageOp&)> witness, std::function<void()> shared)
    : inner_(std::move(inner)),
      use_(std::move(use)),
      opener_(use_->opened()),
      witness_(std::move(witness)),
      shared_(std::move(shared)) {}

void WitnessedStorage::submit(blk::StorageOpPtr op) {
    if (scheduler && scheduler->unwinding()) return;
    witness_(*op);
    if (!use_->begin(opener_)) shared_();
    op->done = [use = use_, opener = opener_, done = std::move(op->done)](blk::StorageOpPtr over) {
        use->end(opener);
        done(std::move(over));
    };
    inner_->submit(std::move(op));
}

}  // namespace xenrig::world
