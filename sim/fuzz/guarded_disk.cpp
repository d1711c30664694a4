#include "sim/fuzz/guarded_disk.h"

#include <algorithm>

namespace xenrig::fuzz {

GuardedDisk::GuardedDisk(std::shared_ptr<blk::Storage> inner, std::string name, bool read_only,
                         std::function<void(std::string, std::string)> broken)
    : inner_(std::move(inner)),
      name_(std::move(name)),
      read_only_(read_only),
      longest_(inner_->info().bytes),
      broken_(std::move(broken)) {}

blk::StorageInfo GuardedDisk::info() const {
    blk::StorageInfo info = inner_->info();
    info.read_only = read_only_ || info.read_only;
    return info;
}

void GuardedDisk::submit(blk::StorageOpPtr op) {
    using Kind = blk::StorageOp::Kind;
    const blk::StorageInfo disk = inner_->info();
    const std::uint64_t length = op->kind == Kind::discard ? op->length : op->data.size();
    longest_ = std::max(longest_, disk.bytes);
    const bool inside = op->offset <= longest_ && length <= longest_ - op->offset &&
                        op->offset % disk.sector_bytes == 0 && length % disk.sector_bytes == 0;
    if (!inside) {
        broken_("out-of-disk", "the backend asks disk '" + name_ + "' for " + std::to_string(length) + " bytes at " +
                                   std::to_string(op->offset) + ", and it has " + std::to_string(longest_));
        return blk::complete(std::move(op), fail(Errno::io));
    }
    if (read_only_ && (op->kind == Kind::write || op->kind == Kind::discard)) {
        broken_("read-only-written", "the backend changes disk '" + name_ + "', which is read-only");
        return blk::complete(std::move(op), fail(Errno::rofs));
    }
    inner_->submit(std::move(op));
}

}  // namespace xenrig::fuzz
