// The image behind the backend. It counts operations, and remembers why one failed: a response on the ring says no more
// than "error" (blkif.h: BLKIF_RSP_ERROR), and who asked from outside deserves the file's own reason.
//
// A failure of the file is input from outside as much as a request is: it goes into a recording by the operation's
// ordinal, and a replay makes the same operation fail.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "xenrig/drivers/blk/blk_op.h"
#include "xenrig/drivers/blk/storage.h"

namespace xenrig::serve {

class ImageStorage final : public blk::Storage {
public:
    /// Told of each failure of the file's.
    using OnFailure = std::function<void(std::uint64_t ordinal, Errno why)>;

    ImageStorage(std::shared_ptr<blk::Storage> file, OnFailure on_failure);

    blk::StorageInfo info() const override { return file_->info(); }
    void submit(blk::StorageOpPtr op) override;
    void watch_size(blk::SizeWatch changed) override { file_->watch_size(std::move(changed)); }

    /// The operation of this ordinal, from 0, fails without being done.
    void fail_at(std::uint64_t ordinal, Errno why) { to_fail_[ordinal] = why; }

    /// Why an operation of the guest's failed: the file's words where there are any, else `answer`. Forgets it.
    Error reason(const blk::BlkOp& op, const Error& answer);

private:
    struct Failure {
        blk::StorageOp::Kind kind;
        std::uint64_t offset, length;
        Error error;
    };
    /// Those that nobody asks about are forgotten, oldest first.
    static constexpr std::size_t kFailuresMax = 64;

    std::shared_ptr<blk::Storage> file_;
    OnFailure on_failure_;
    std::uint64_t ordinal_ = 0;
    std::map<std::uint64_t, Errno> to_fail_;
    std::deque<Failure> failures_;
};

}  // namespace xenrig::serve
