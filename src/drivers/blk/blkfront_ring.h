// One connection of a block frontend: the ring's page, its grant, its port, and the shadow of what is in flight.
//
// The shadow is private memory. A request's id names its slot in it and the operation that has it now, so a response
// that comes twice, or for a slot whose operation has changed, is found out.
//
// Threads: used by the frontend's service task, or while that is paused.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "xenrig/drivers/blk/blk_op.h"
#include "xenrig/drivers/blk/wire.h"
#include "xenrig/platform/platform.h"
#include "xenrig/ring/front_ring.h"
#include "xenrig/xenbus/doorbell.h"

namespace xenrig::blk {

class BlkfrontRing {
public:
    /// All or nothing.
    static Result<std::unique_ptr<BlkfrontRing>> allocate(Platform& platform, DomId backend, std::uint16_t handle,
                                                          xenbus::Service::Poke poke);
    /// Port first, then the grants: those that the backend still maps stay behind with their pages.
    ~BlkfrontRing();
    BlkfrontRing(const BlkfrontRing&) = delete;
    BlkfrontRing& operator=(const BlkfrontRing&) = delete;

    GrantRef ref() const { return grant_.ref(); }
    Port port() const { return doorbell_.port(); }

    bool full() const { return ring_.full(); }
    bool idle() const { return in_flight_ == 0; }

    /// Grants the operation's pages and puts its request. ENOSPC when no grant is to be had; then nothing has happened.
    Result<> put(BlkOp& op);
    /// Publishes what was put, and tells the backend if it sleeps.
    void push();

    /// The next operation that was answered, with its result; null when there is none. An error when the backend's
    /// answer answers nothing: the ring is of no use any more.
    Result<BlkOp*> take();

    /// Lets events come again; true when there is nothing to do until one does.
    bool sleep_unless_work();

    /// In a new epoch: the page is the same, the right to look at it is a new one.
    void rebind();

    /// Everything in flight, in the order in which it was put; nothing is in flight afterwards.
    std::vector<BlkOp*> collect();

private:
    struct Slot {
        BlkOp* op = nullptr;
        std::uint64_t id = 0;
        std::uint8_t operation = 0;
        std::array<Grant, BlkOp::kSegmentsMax> grants;
    };

    BlkfrontRing(Platform& platform, DomId backend, std::uint16_t handle) noexcept
        : platform_(platform), backend_(backend), handle_(handle) {}
    void release(Slot& slot);

    Platform& platform_;
    const DomId backend_;
    const std::uint16_t handle_;
    FramePtr page_;
    Grant grant_;
    ring::FrontRing<Request, Response> ring_;
    xenbus::Doorbell doorbell_;
    std::vector<Slot> slots_;
    std::vector<std::uint16_t> free_;
    std::uint64_t made_ = 0;  ///< requests, ever
    std::size_t in_flight_ = 0;
    bool staged_ = false;
};

}  // namespace xenrig::blk
