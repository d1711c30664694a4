// Storage in memory, sparse; every operation completes inside submit().
#pragma once

#include <atomic>

#include "xenrig/drivers/blk/sparse_bytes.h"
#include "xenrig/drivers/blk/storage.h"
#include "xenrig/platform/lock.h"

namespace xenrig::blk {

class RamDisk final : public Storage {
public:
    explicit RamDisk(StorageInfo info) : info_(info), bytes_now_(info.bytes) {}

    StorageInfo info() const override;
    void submit(StorageOpPtr op) override;
    void watch_size(SizeWatch changed) override { watchers_.add(std::move(changed)); }

    /// Makes it so long, whole sectors. What is cut off is gone: after another growth it is zeros.
    void resize(std::uint64_t bytes);

    /// The content, for tests and for filling a disk; no operation of a driver.
    void peek(std::uint64_t offset, std::span<std::byte> out) const;
    void poke(std::uint64_t offset, std::span<const std::byte> in);

private:
    const StorageInfo info_;
    std::atomic<std::uint64_t> bytes_now_;
    SizeWatchers watchers_;
    mutable IrqLock lock_{"ramdisk"};
    SparseBytes bytes_;
};

}  // namespace xenrig::blk
