// Storage that holds its backend to what a disk may be asked: whole sectors inside it, no write where none is allowed.
//
// A backend must have refused all else before it gets here. What breaks a rule is reported and done no harm with.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "xenrig/drivers/blk/storage.h"

namespace xenrig::fuzz {

class GuardedDisk final : public blk::Storage {
public:
    /// `broken` is told of a rule by its short name, and how it was broken.
    GuardedDisk(std::shared_ptr<blk::Storage> inner, std::string name, bool read_only,
                std::function<void(std::string rule, std::string how)> broken);

    blk::StorageInfo info() const override;
    void submit(blk::StorageOpPtr op) override;
    void watch_size(blk::SizeWatch changed) override { inner_->watch_size(std::move(changed)); }

private:
    const std::shared_ptr<blk::Storage> inner_;
    const std::string name_;
    const bool read_only_;
    /// What was on its way when the disk became shorter may still come.
    std::uint64_t longest_ = 0;
    const std::function<void(std::string, std::string)> broken_;
};

}  // namespace xenrig::fuzz
