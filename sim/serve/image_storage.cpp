#include "sim/serve/image_storage.h"

#include <algorithm>

#include "xenrig/drivers/blk/wire.h"

namespace xenrig::serve {

ImageStorage::ImageStorage(std::shared_ptr<blk::Storage> file, OnFailure on_failure)
    : file_(std::move(file)), on_failure_(std::move(on_failure)) {}

void ImageStorage::submit(blk::StorageOpPtr op) {
    const std::uint64_t ordinal = ordinal_++;
    if (const auto found = to_fail_.find(ordinal); found != to_fail_.end()) {
        const Errno why = found->second;
        to_fail_.erase(found);
        return blk::complete(std::move(op), fail(why, "the recording says that this failed"));
    }
    op->done = [this, ordinal, done = std::move(op->done)](blk::StorageOpPtr finished) {
        if (!finished->result) {
            const Error& error = finished->result.error();
            failures_.push_back({finished->kind, finished->offset, finished->data.size(), error});
            if (failures_.size() > kFailuresMax) failures_.pop_front();
            if (on_failure_) on_failure_(ordinal, error.code);
        }
        done(std::move(finished));
    };
    file_->submit(std::move(op));
}

Error ImageStorage::reason(const blk::BlkOp& op, const Error& answer) {
    using Kind = blk::StorageOp::Kind;
    const Kind kind = op.kind == blk::BlkOp::Kind::read    ? Kind::read
                      : op.kind == blk::BlkOp::Kind::write ? Kind::write
                                                           : Kind::flush;
    const auto same = [&](const Failure& f) {
        return f.kind == kind && (kind == Kind::flush || f.offset == op.sector * blk::kUnit);
    };
    const auto found = std::find_if(failures_.begin(), failures_.end(), same);
    if (found == failures_.end()) return answer;
    Error why = std::move(found->error);
    failures_.erase(found);
    return why;
}

}  // namespace xenrig::serve
