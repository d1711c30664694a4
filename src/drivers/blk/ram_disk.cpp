#include "xenrig/drivers/blk/ram_disk.h"

#include <mutex>

namespace xenrig::blk {

void RamDisk::submit(StorageOpPtr op) {
    Result<> result;
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
