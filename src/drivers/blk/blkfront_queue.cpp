// What becomes of operations: the queue, which of its operations a lane may put now, and their answers.
#include <algorithm>
#include <mutex>
#include <utility>

#include "blkfront_lane.h"
#include "xenrig/drivers/blk/command.h"
#include "xenrig/drivers/blk/wire.h"

namespace xenrig::blk {

namespace {

bool whole(std::uint64_t units, std::uint32_t sector_bytes) { return units % (sector_bytes / kUnit) == 0; }

}  // namespace

void answer(BlkOp& op, Result<> result) {
    op.result = std::move(result);
    const auto done = std::move(op.done);
    if (done) done(op);
}

void answer(BlkOp& op) { answer(op, std::move(op.result)); }

void Blkfront::submit(BlkOp& op) {
    Lane* lane;
    op.result = {};
    op.progress = {};
    {
        const std::lock_guard held(lock_);
        queue_.push_back(&op);
        lane = lanes_[pokes_++ % lanes_in_use_].get();
    }
    lane->service.poke();
}

void Blkfront::poke_all() {
    for (const auto& lane : lanes_) lane->service.poke();
}

/// To the head of the queue, in the order in which they were put.
void Blkfront::requeue(std::vector<BlkOp*> unanswered) {
    operations_over(unanswered.size());
    for (BlkOp* op : unanswered) {
        op->result = {};
        op->progress = {.turn = op->progress.turn};
    }
    std::ranges::sort(unanswered, {}, [](const BlkOp* op) { return op->progress.turn; });
    const std::lock_guard held(lock_);
    queue_.insert(queue_.begin(), unanswered.begin(), unanswered.end());
}

void Blkfront::work(Lane& lane) {
    if (!lane.ring) {
        bool closed;
        {
            const std::lock_guard held(lock_);
            closed = phase_ == Phase::closed;
        }
        if (closed) fail_queue();
        return;
    }

    BlkfrontRing& ring = *lane.ring;
    std::vector<BlkOp*> answered;
    auto op = ring.take();
    std::vector<BlkOp*> again;
    for (; op && *op; op = ring.take()) {
        const Result<>& result = (*op)->result;
        const bool unsupported = !result && result.error().code == Errno::opnotsupp;
        (unsupported && degrade(lane, **op) ? again : answered).push_back(*op);
    }
    if (!again.empty()) requeue(std::move(again));
    if (!op) {
        // No more of this backend. The handshake fails what is in flight.
        issuing_ = false;
        link_.fail({op.error().code, "blkfront: " + op.error().message});
    } else if (issuing_) {
        issue(lane);
    } else if (!answered.empty() && ring.idle()) {
        // quiesce() waits for this.
        link_.poke();
    }
    const bool look_again = op && !ring.sleep_unless_work();
    for (BlkOp* done : answered) answer(*done);
    // Behind the answers, so that a barrier's users hear of nothing in the wrong order.
    operations_over(answered.size());
    if (look_again) lane.service.poke();
}

/// What a backend calls unsupported, whatever it offered, is not asked of it again in this connection. True when there
/// is another way: the operation is to be put once more.
bool Blkfront::degrade(Lane& lane, const BlkOp& op) {
    using Kind = BlkOp::Kind;
    BlkfrontRing::Features features = lane.ring->features();
    const std::lock_guard held(lock_);
    switch (op.kind) {
        case Kind::read:
        case Kind::write:
            // An indirect request, or a backend that can do nothing at all.
            if (features.segments <= kSegmentsMax || op.segments.size() <= kSegmentsMax) return false;
            features.segments = kSegmentsMax;
            break;
        case Kind::flush:
            // By barriers from now on, where it has these.
            if (!features.flush || !info_.can_barrier) {
                info_.can_flush = false;
                return false;
            }
            features.flush = false;
            break;
        case Kind::barrier:
            info_.can_barrier = false;
            info_.can_flush = features.flush;
            return false;
        case Kind::discard:
            if (op.secure)
                info_.can_discard_securely = false;
            else
                info_.discard_granularity = 0;
            return false;
    }
    lane.ring->use(features);
    return true;
}

/// Why an operation does not go onto the ring at all.
std::optional<Error> Blkfront::refusal(const BlkOp& op) const {
    using Kind = BlkOp::Kind;
    const auto fits = [&](std::uint64_t units) {
        return op.sector <= info_.sectors && units <= info_.sectors - op.sector;
    };
    if (op.kind == Kind::flush) {
        if (!op.segments.empty()) return Error{Errno::inval, "a flush has no segments"};
        if (!info_.can_flush) return Error{Errno::opnotsupp, "the backend can't flush"};
        return {};
    }
    if (info_.cdrom && info_.sectors == 0) return Error{Errno::io, "no medium in the drive"};
    if (op.kind != Kind::read && info_.read_only) return Error{Errno::rofs, "the disk is read-only"};
    if (!whole(op.sector, info_.sector_bytes)) return Error{Errno::inval, "not at a sector of the disk"};
    if (op.kind == Kind::discard) {
        if (info_.discard_granularity == 0) return Error{Errno::opnotsupp, "the backend can't discard"};
        if (op.secure && !info_.can_discard_securely)
            return Error{Errno::opnotsupp, "the backend can't discard securely"};
        if (!op.segments.empty()) return Error{Errno::inval, "a discard has no segments"};
        if (!whole(op.units, info_.sector_bytes)) return Error{Errno::inval, "not whole sectors of the disk"};
        if (!fits(op.units)) return Error{Errno::inval, "beyond the end of the disk"};
        return {};
    }
    if (op.kind == Kind::barrier && !info_.can_barrier) return Error{Errno::opnotsupp, "the backend has no barriers"};
    // One request, for nothing may come between.
    const std::size_t most = op.kind == Kind::barrier ? kSegmentsMax : kOperationSegmentsMax;
    if (op.segments.empty() || op.segments.size() > most)
        return Error{Errno::inval, "an operation has 1 to " + std::to_string(most) + " segments"};
    std::uint64_t units = 0;
    for (const BlkSegment& s : op.segments) {
        if (s.first > s.last || s.last >= kUnitsPerPage)
            return Error{Errno::inval, "a segment's sectors lie in order inside its page"};
        if (!whole(s.first, info_.sector_bytes) || !whole(s.last + 1u, info_.sector_bytes))
            return Error{Errno::inval, "not whole sectors of the disk"};
        units += s.last - s.first + 1u;
    }
    if (!fits(units)) return Error{Errno::inval, "beyond the end of the disk"};
    return {};
}

/// Answered, refused, or back in the queue.
void Blkfront::operations_over(std::size_t count) {
    if (count == 0) return;
    const bool none_left = (under_way_ -= count) == 0;
    const bool barrier_over = none_left && barrier_under_way_.exchange(false);
    const bool barrier_may_go = none_left && barrier_waits_.exchange(false);
    if (barrier_over || barrier_may_go || starved_.exchange(false)) poke_all();
}

/// What this lane puts next; null when it must wait. With `refused` set it is to be answered so.
BlkOp* Blkfront::next(Lane& lane, std::optional<Error>& refused) {
    if (lane.unfinished) return std::exchange(lane.unfinished, nullptr);
    const std::lock_guard held(lock_);
    if (queue_.empty() || barrier_under_way_) return nullptr;
    BlkOp* const op = queue_.front();
    refused = refusal(*op);
    if (op->kind == BlkOp::Kind::barrier && !refused) {
        // Said before the others are counted: whoever ends the last of them sees it.
        barrier_waits_ = true;
        if (under_way_ != 0) return nullptr;
        barrier_waits_ = false;
        barrier_under_way_ = true;
    }
    queue_.pop_front();
    ++under_way_;
    op->progress.turn = turns_++;
    return op;
}

/// No grant or page was to be had. When an operation that is under way is over there may be: until then it waits, here
/// for one of this lane's, else in the queue.
bool Blkfront::must_wait(Lane& lane, BlkOp& op) {
    if (!lane.ring->idle()) {
        lane.unfinished = &op;
        return true;
    }
    starved_ = true;
    if (under_way_ == 1) return false;
    bool none_left;
    {
        const std::lock_guard held(lock_);
        queue_.push_front(&op);
        none_left = --under_way_ == 0;
    }
    // Another lane thought the same at this moment.
    if (none_left) poke_all();
    return true;
}

/// From the queue onto the ring, as long as there is room.
void Blkfront::issue(Lane& lane) {
    std::vector<std::pair<BlkOp*, Error>> refused;
    while (!lane.ring->full()) {
        std::optional<Error> why_not;
        BlkOp* const op = next(lane, why_not);
        if (!op) break;
        if (!why_not) {
            const auto put = lane.ring->put(*op);
            if (put) {
                if (!op->progress.all_put) lane.unfinished = op;
                continue;
            }
            if (must_wait(lane, *op)) break;
            why_not = put.error();
        }
        refused.emplace_back(op, *why_not);
    }
    if (const auto told = lane.ring->push(); !told)
        link_.fail({told.error().code, "blkfront: " + told.error().message});
    operations_over(refused.size());
    for (auto& [op, why] : refused) answer(*op, std::unexpected(why));
}

void Blkfront::fail_queue() {
    for (;;) {
        BlkOp* op;
        Error why;
        {
            const std::lock_guard held(lock_);
            if (queue_.empty()) return;
            op = queue_.front();
            queue_.pop_front();
            why = why_closed_;
        }
        answer(*op, std::unexpected(why));
    }
}

}  // namespace xenrig::blk
