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
#include "xenrig/drivers/blk/disk.h"
#include "xenrig/platform/platform.h"

namespace xenrig::fuzz {

struct UserWish {
    /// To hold a disk is to have it open, as a mounted file system does; who holds it lets it go by the next wish.
    enum class What : std::uint8_t { operation, hold, eject };

    What what = What::operation;
    blk::BlkOp::Kind kind = blk::BlkOp::Kind::read;
    std::uint64_t sector = 0;
    std::uint64_t units = 0;  ///< a discard's
    bool secure = false;      ///< the same
    unsigned segments = 1;    ///< of one page each
    std::uint8_t first = 0, last = 7;
    unsigned device = 0;
};

class UserOperations {
public:
    using FindDisk = std::function<std::shared_ptr<blk::Disk>(unsigned device)>;

    UserOperations(Platform& guest, FindDisk disk);
    ~UserOperations();
    UserOperations(const UserOperations&) = delete;
    UserOperations& operator=(const UserOperations&) = delete;

    void ask(const UserWish& wish);
    /// Submitted and not answered.
    std::size_t outstanding() const;
    /// That operations without an answer hold.
    std::size_t pages_held() const;
    /// Reads, writes and barriers whose users were told that they are done.
    std::vector<const blk::BlkOp*> done_well() const;
    /// Of the first operation that was answered more than once; empty when there is none.
    std::string answered_twice() const;
    /// From outside any task: nobody holds a disk any more.
    void let_go();
    /// When all are answered: their pages are free again.
    void forget() { operations_.clear(); }

private:
    struct Held;
    struct Operation {
        blk::BlkOp op;
        unsigned answers = 0;
    };

    void serve();
    void grant(const UserWish& wish);
    void submit(const UserWish& wish, blk::Disk& disk);
    void hold(const std::shared_ptr<blk::Blkfront>& disk);

    Platform& guest_;
    const FindDisk disk_;
    IrqLock lock_{"fuzz.users"};
    WaitQueue wished_{"wishes of the disk's users"};
    std::deque<UserWish> wishes_;
    std::deque<Operation> operations_;
    std::unique_ptr<Held> held_;
};

}  // namespace xenrig::fuzz
