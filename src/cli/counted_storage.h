// Storage that counts what is asked of it, for a report at the end.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "xenrig/drivers/blk/storage.h"

namespace xenrig::cli {

class CountedStorage final : public blk::Storage {
public:
    struct Counts {
        std::atomic<std::uint64_t> reads{0}, writes{0}, flushes{0}, discards{0}, read_bytes{0}, written_bytes{0},
            failures{0};

        /// "812 reads (3 MiB), 97 writes (1 MiB), 4 flushes, 0 discards, 0 failures".
        std::string describe() const;
    };

    /// `counts` outlives it: several disks, one after another, may count there.
    CountedStorage(std::shared_ptr<blk::Storage> storage, Counts& counts)
        : storage_(std::move(storage)), counts_(counts) {}

    blk::StorageInfo info() const override { return storage_->info(); }
    void submit(blk::StorageOpPtr op) override;
    void watch_size(blk::SizeWatch changed) override { storage_->watch_size(std::move(changed)); }

private:
    std::shared_ptr<blk::Storage> storage_;
    Counts& counts_;
};

}  // namespace xenrig::cli
