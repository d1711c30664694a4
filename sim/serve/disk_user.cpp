#include "sim/serve/disk_user.h"

#include <algorithm>
#include <mutex>

#include "xenrig/abi/check.h"
#include "xenrig/drivers/blk/wire.h"

namespace xenrig::serve {

namespace {

/// As many as a ring of one page holds.
constexpr std::size_t kSlots = 32;
constexpr std::uint64_t kBytesMax = blk::kSegmentsMax * kPageSize;

}  // namespace

DiskUser::DiskUser(Platform& guest, std::shared_ptr<blk::Blkfront> disk, Reason reason)
    : guest_(guest), disk_(std::move(disk)), reason_(std::move(reason)) {}

DiskUser::~DiskUser() = default;

Result<> DiskUser::prepare() {
    for (std::size_t i = 0; i < kSlots; ++i) {
        Slot& slot = *slots_.emplace_back(std::make_unique<Slot>());
        for (FramePtr& page : slot.pages) {
            auto frame = guest_.memory().allocate();
            if (!frame) return std::unexpected(frame.error());
            page = std::move(*frame);
        }
        free_.push_back(&slot);
    }
    return {};
}

void DiskUser::add(Request& request) {
    const auto job = jobs_.insert(jobs_.end(), Job{&request});
    {
        const std::lock_guard held(lock_);
        asked_.push_back(job);
    }
    work_.wake_all();
}

void DiskUser::run() {
    // The device answers its last operations when it goes, and each of them keeps this user: so the user does not keep
    // the device beyond its task.
    struct LettingGo {
        std::shared_ptr<blk::Blkfront>& disk;
        ~LettingGo() { disk.reset(); }
    } const letting_go{disk_};
    std::vector<Slot*> answered;
    std::deque<std::list<Job>::iterator> asked;
    for (;;) {
        {
            const std::lock_guard held(lock_);
            work_.wait(lock_, [this] { return !answered_.empty() || !asked_.empty(); });
            answered.swap(answered_);
            asked.swap(asked_);
        }
        for (Slot* slot : answered) finish(*slot);
        answered.clear();
        unissued_.insert(unissued_.end(), asked.begin(), asked.end());
        asked.clear();
        issue();
    }
}

void DiskUser::issue() {
    while (!unissued_.empty() && !free_.empty()) {
        const auto job = unissued_.front();
        Slot& slot = *free_.back();
        free_.pop_back();
        begin(slot, job);
        if (job->issued == job->request->length()) unissued_.pop_front();
    }
}

/// The next operation of a job: a piece of its bytes or, when there is none left, a flush.
void DiskUser::begin(Slot& slot, std::list<Job>::iterator job) {
    using Kind = blk::BlkOp::Kind;
    const Request& request = *job->request;
    blk::BlkOp& op = slot.op;
    slot.job = job;
    slot.at = job->issued;
    slot.length = std::min(request.length() - job->issued, kBytesMax);
    job->flushing = slot.length == 0;
    op.kind = job->flushing ? Kind::flush : request.kind == Request::Kind::read ? Kind::read : Kind::write;
    op.sector = (request.offset + slot.at) / blk::kUnit;
    op.segments.clear();
    for (std::uint64_t done = 0; done < slot.length; done += kPageSize) {
        const FramePtr& page = slot.pages[op.segments.size()];
        const std::uint64_t here = std::min<std::uint64_t>(slot.length - done, kPageSize);
        if (op.kind == Kind::write) guest_.memory().write(page->gfn(), 0, request.bytes.subspan(slot.at + done, here));
        op.segments.push_back({page->gfn(), 0, static_cast<std::uint8_t>(here / blk::kUnit - 1), page});
    }
    op.done = [self = shared_from_this(), &slot](blk::BlkOp&) { self->answered(slot); };
    job->issued += slot.length;
    ++job->under_way;
    ++operations_;
    disk_->submit(op);
}

void DiskUser::answered(Slot& slot) {
    {
        const std::lock_guard held(lock_);
        answered_.push_back(&slot);
    }
    work_.wake_all();
}

void DiskUser::finish(Slot& slot) {
    const auto job = slot.job;
    Request& request = *job->request;
    if (!slot.op.result) {
        // The first failure is the request's answer; the others are asked about, too, so that none is remembered.
        Error why = reason_(slot.op, slot.op.result.error());
        if (request.result) request.result = std::unexpected(std::move(why));
    } else if (slot.op.kind == blk::BlkOp::Kind::read) {
        for (std::uint64_t done = 0; done < slot.length; done += kPageSize) {
            const std::uint64_t here = std::min<std::uint64_t>(slot.length - done, kPageSize);
            guest_.memory().read(slot.pages[done / kPageSize]->gfn(), 0, request.into.subspan(slot.at + done, here));
        }
    }
    free_.push_back(&slot);

    if (--job->under_way != 0 || job->issued != request.length()) return;
    if (request.durable && request.result && !job->flushing) return unissued_.push_front(job);
    jobs_.erase(job);
    // The request may end inside this call.
    const auto done = std::move(request.done);
    done(request);
}

}  // namespace xenrig::serve
