// The task inside the guest that does what is asked from outside: requests of any length go over blkfront as operations
// of up to eleven pages, as many at a time as the ring holds.
//
// Threads: add() from outside the world, while that is quiet; all else in tasks of the guest's. A user outlives its
// task until the last operation is answered, for a device that ends answers them all.
#pragma once

#include <array>
#include <deque>
#include <list>
#include <memory>
#include <vector>

#include "sim/serve/request.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/drivers/blk/wire.h"
#include "xenrig/platform/platform.h"

namespace xenrig::serve {

class DiskUser : public std::enable_shared_from_this<DiskUser> {
public:
    /// Why an operation failed that the ring answered with no more than "error"; asked once for each.
    using Reason = std::function<Error(const blk::BlkOp&, const Error& answer)>;

    DiskUser(Platform& guest, std::shared_ptr<blk::Blkfront> disk, Reason reason);
    ~DiskUser();

    /// Allocates the pages of its operations. ENOMEM.
    Result<> prepare();
    /// The task's body; never returns.
    void run();

    void add(Request& request);
    /// Operations put on the ring, ever.
    std::uint64_t operations() const { return operations_; }

private:
    /// A request, and how far it has come.
    struct Job {
        Request* request;
        std::uint64_t issued = 0;  ///< bytes
        unsigned under_way = 0;    ///< operations
        bool flushing = false;
    };
    /// A place for one operation, with pages of its own that are used again and again.
    struct Slot {
        blk::BlkOp op;
        std::array<FramePtr, blk::kSegmentsMax> pages;
        std::list<Job>::iterator job;
        std::uint64_t at = 0;  ///< of the request's bytes
        std::uint64_t length = 0;
    };

    void issue();
    void begin(Slot& slot, std::list<Job>::iterator job);
    void finish(Slot& slot);
    void answered(Slot& slot);

    Platform& guest_;
    std::shared_ptr<blk::Blkfront> disk_;
    Reason reason_;
    std::uint64_t operations_ = 0;

    IrqLock lock_{"disk user"};
    WaitQueue work_{"requests from outside"};
    // Under lock_.
    std::deque<std::list<Job>::iterator> asked_;
    std::vector<Slot*> answered_;

    // The task's; the list also add()'s.
    std::list<Job> jobs_;
    std::vector<std::unique_ptr<Slot>> slots_;
    std::vector<Slot*> free_;
    /// Jobs with something left to issue, in order.
    std::deque<std::list<Job>::iterator> unissued_;
};

}  // namespace xenrig::serve
