// Storage that a world watches: each operation is told to a witness, and two backends never have operations under way
// on one disk at a time (what a hotplug script's sharing check sees to on a real host).
//
// What a dead domain's task asks for, which runs on until it blocks, reaches no hardware and is never answered.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "xenrig/drivers/blk/storage.h"
#include "xenrig/platform/lock.h"

namespace xenrig::world {

/// Who has how many operations under way on a disk.
class DiskUse {
public:
    using Opener = unsigned;

    Opener opened();
    /// False when another opener has operations under way.
    bool begin(Opener opener);
    void end(Opener opener);
    /// The disk was reset: nothing is under way.
    void reset();

private:
    IrqLock lock_{"disk use"};
    unsigned openers_ = 0;
    std::map<Opener, unsigned> under_way_;
};

class WitnessedStorage final : public blk::Storage {
public:
    /// `shared` is called when another backend has operations under way.
    WitnessedStorage(std::shared_ptr<blk::Storage> inner, std::shared_ptr<DiskUse> use,
                     std::function<void(const blk::StorageOp&)> witness, std::function<void()> shared);

    blk::StorageInfo info() const override { return inner_->info(); }
    void submit(blk::StorageOpPtr op) override;
    void watch_size(blk::SizeWatch changed) override { inner_->watch_size(std::move(changed)); }

private:
    std::shared_ptr<blk::Storage> inner_;
    std::shared_ptr<DiskUse> use_;
    DiskUse::Opener opener_;
    std::function<void(const blk::StorageOp&)> witness_;
    std::function<void()> shared_;
};

}  // namespace xenrig::world
