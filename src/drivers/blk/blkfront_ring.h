// One ring of a block frontend: its pages, their grants, its port, and the shadow of what is in flight.
//
// The shadow is private memory. A request's id names its slot in it and the request that has it now, so a response that
// comes twice, or for a slot whose request has changed, is found out.
//
// An operation becomes as many requests as the backend's limits ask for, put as the ring has room, and is answered when
// all of them are.
//
// Threads: used by one service task, or while that is paused.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "front_abi_ring.h"
#include "granted_pages.h"
#include "xenrig/drivers/blk/blk_op.h"
#include "xenrig/drivers/blk/sector_units.h"
#include "xenrig/drivers/blk/wire.h"
#include "xenrig/platform/platform.h"
#include "xenrig/xenbus/doorbell.h"

namespace xenrig::blk {

class BlkfrontRing {
public:
    /// What the backend can do, in this connection.
    struct Features {
        bool flush = false;
        bool persistent = false;
        WireUnits wire;
        std::uint32_t segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;  ///< more than eleven: of an indirect request
    };

    /// All or nothing. `pages` is a power of two, at most 16.
    static Result<std::unique_ptr<BlkfrontRing>> allocate(Platform& platform, DomId backend, std::uint16_t handle,
                                                          std::size_t pages, Layout layout, xenbus::Service::Poke poke);
    /// Port first, then the grants: those that the backend still maps stay behind with their pages.
    ~BlkfrontRing();
    BlkfrontRing(const BlkfrontRing&) = delete;
    BlkfrontRing& operator=(const BlkfrontRing&) = delete;

    std::vector<GrantRef> refs() const;
    Port port() const { return doorbell_.port(); }
    std::size_t size() const { return ring_.size(); }

    /// From the next request on.
    void use(const Features& features) { features_ = features; }
    const Features& features() const { return features_; }

    bool full() const { return free_.empty(); }
    bool idle() const { return in_flight_ == 0; }

    /// Grants the operation's pages and puts its requests, from where its progress stands, as long as there is room.
    /// ENOSPC or ENOMEM when no grant or page is to be had for the next one; its progress says how far it came.
    Result<> put(BlkOp& op);
    /// Publishes what was put, and tells the backend if it sleeps. An error when it can't be told: it will not answer.
    Result<> push();

    /// The next operation that was answered, with its result; null when there is none. An error when the backend's
    /// answer answers nothing: the ring is of no use any more.
    Result<BlkOp*> take();

    /// Lets events come again; true when there is nothing to do until one does.
    bool sleep_unless_work();

    /// In a new epoch: the pages are the same, the right to look at them is a new one. From now on take() leaves reads
    /// in flight: the backend went on while the guest's memory was copied, so an answer may have come along without its
    /// data.
    void rebind();

    /// Every operation with a request in flight, in no order; nothing is in flight afterwards.
    std::vector<BlkOp*> collect();

private:
    struct Slot {
        BlkOp* op = nullptr;
        std::uint64_t id = 0;
        std::uint8_t operation = 0;
        /// Which of the operation's segments.
        std::size_t first = 0, count = 0;
        std::uint64_t sector = 0;  ///< on the wire
        /// One for each segment: the grant of its own page, or, with a frame, a page that stands for it.
        std::vector<GrantedPage> pages;
        std::vector<GrantedPage> indirect;
    };

    BlkfrontRing(Platform& platform, DomId backend, std::uint16_t handle);
    Op wire_op(BlkOp::Kind kind) const;
    Result<> prepare(Slot& slot);
    Result<> prepare_pages(Slot& slot);
    Result<> prepare_indirect(Slot& slot);
    void shorten(Slot& slot, std::size_t count);
    void end_page(Slot& slot, std::size_t i);
    void end_indirect(Slot& slot);
    std::vector<blkif_request_segment> segments_of(const Slot& slot) const;
    Request request_of(const Slot& slot) const;
    void copy_back(const Slot& slot);
    void release(Slot& slot);
    shared::Window window() const;

    Platform& platform_;
    const DomId backend_;
    const std::uint16_t handle_;
    Features features_;
    std::vector<GrantedPage> pages_;
    FrontAbiRing ring_;
    xenbus::Doorbell doorbell_;
    GrantedPages pool_;
    std::vector<Slot> slots_;
    std::vector<std::uint16_t> free_;
    std::uint64_t made_ = 0;  ///< requests, ever
    std::size_t in_flight_ = 0;
    bool staged_ = false;
    bool moved_ = false;
};

}  // namespace xenrig::blk
