// Storage in memory, sparse; every operation completes inside submit().
#pragma once

#include "xenrig/drivers/blk/sparse_bytes.h"
#include "xenrig/drivers/blk/storage.h"
#include "xenrig/platform/lock.h"

namespace xenrig::blk {

class RamDisk final : public Storage {
public:
    explicit RamDisk(StorageInfo info) : info_(info) {}

    StorageInfo info() const override { return info_; }
    void submit(StorageOpPtr op) override;

    /// The content, for tests and for filling a disk; no operation of a driver.
    void peek(std::uint64_t offset, std::span<std::byte> out) const;
    void poke(std::uint64_t offset, std::span<const std::byte> in);

private:
    const StorageInfo info_;
    mutable IrqLock lock_{"ramdisk"};
    SparseBytes bytes_;
};

}  // namespace xenrig::blk
