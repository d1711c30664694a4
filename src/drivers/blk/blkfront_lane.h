// A ring of a block frontend and the task that serves it; and how an operation is answered.
#pragma once

#include <memory>
#include <string>

#include "blkfront_ring.h"
#include "xenrig/drivers/blk/blkfront.h"

namespace xenrig::blk {

struct Blkfront::Lane {
    Lane(Blkfront& owner, const std::string& name)
        : service(owner.platform_, name, [&owner, this] { owner.work(*this); }) {}

    // The service's, or under its pause.
    std::unique_ptr<BlkfrontRing> ring;
    /// Taken from the queue, and not yet put whole.
    BlkOp* unfinished = nullptr;

    xenbus::Service service;
};

/// Calls `done`, once: it is moved out, so the operation may be destroyed in it. The caller holds no lock.
void answer(BlkOp& op, Result<> result);
/// With the result that it has.
void answer(BlkOp& op);

}  // namespace xenrig::blk
