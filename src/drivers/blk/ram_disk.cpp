#include "xenrig/drivers/blk/ram_disk.h"

#include <mutex>

namespace xenrig::blk {

StorageInfo RamDisk::info() const {
    StorageInfo now = info_;
    now.bytes = bytes_now_.load(std::memory_order_relaxed);
    return now;
}

void RamDisk::resize(std::uint64_t bytes) {
    const std::uint64_t before = bytes_now_.exchange(bytes, std::memory_order_relaxed);
    if (bytes < before) {
        const std::lock_guard held(lock_);
        bytes_.discard(bytes, before - bytes);
    }
    watchers_.tell();
}

void RamDisk::submit(StorageOpPtr op) {
    Result<> result;
    if (op->offset + op->data.size() + op->length > bytes_now_.load(std::memory_order_relaxed))
        return complete(std::move(op), fail(Errno::io, "beyond the end of the RAM disk"));
    switch (op->kind) {
        case StorageOp::Kind::read:
            peek(op->offset, op->data);
            break;
        case StorageOp::Kind::write:
            if (info_.read_only)
                result = fail(Errno::rofs, "the RAM disk is read-only");
            else
                poke(op->offset, op->data);
            break;
        case StorageOp::Kind::flush:
            break;
        case StorageOp::Kind::discard: {
            const std::lock_guard held(lock_);
            bytes_.discard(op->offset, op->length);
            break;
        }
    }
    complete(std::move(op), std::move(result));
}

void RamDisk::peek(std::uint64_t offset, std::span<std::byte> out) const {
    const std::lock_guard held(lock_);
    bytes_.read(offset, out);
}

void RamDisk::poke(std::uint64_t offset, std::span<const std::byte> in) {
    const std::lock_guard held(lock_);
    bytes_.write(offset, in);
}

}  // namespace xenrig::blk
