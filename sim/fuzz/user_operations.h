// What users of a guest's disk ask for while its backend is hostile, and whether each of them was answered once.
//
// ask() may be called by anybody; a task of the guest's submits. Operations and their pages live until the end.
// Threads: the world's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "xenrig/drivers/blk/blk_op.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/platform/platform.h"

namespace xenrig::fuzz {

struct UserWish {
    blk::BlkOp::Kind kind = blk::BlkOp::Kind::read;
    std::uint64_t sector = 0;
    std::uint64_t units = 0;  ///< a discard's
    unsigned segments = 1;    ///< of one page each
    std::uint8_t first = 0, last = 7;
    unsigned device = 0;
};

class UserOperations {
public:
    using FindDisk = std::function<std::shared_ptr<blk::Blkfront>(unsigned device)>;

    UserOperations(Platform& guest, FindDisk disk);

    void ask(const UserWish& wish);
    /// Submitted and not answered.
    std::size_t outstanding() const;
    std::size_t answered() const;
    /// Of the first operation that was answered more than once; empty when there is none.
    std::string answered_twice() const;

private:
    struct Operation {
        blk::BlkOp op;
        unsigned answers = 0;
    };

    void serve();
    void submit(const UserWish& wish);

    Platform& guest_;
    const FindDisk disk_;
    IrqLock lock_{"fuzz.users"};
    WaitQueue wished_{"wishes of the disk's users"};
    std::deque<UserWish> wishes_;
    std::deque<Operation> operations_;
};

}  // namespace xenrig::fuzz
