#include "blkfront_ring.h"

#include <algorithm>

namespace xenrig::blk {

namespace {

/// An id is the slot, and above it the number of the request in this connection.
constexpr unsigned kSlotBits = 16;

Op wire_op(BlkOp::Kind kind) {
    switch (kind) {
        case BlkOp::Kind::read:
            return Op::read;
        case BlkOp::Kind::write:
            return Op::write;
        case BlkOp::Kind::flush:
            return Op::flush;
    }
    return Op::flush;
}

Result<> result_of(std::int16_t status) {
    switch (static_cast<Status>(status)) {
        case Status::okay:
            return {};
        case Status::not_supported:
            return fail(Errno::opnotsupp, "the backend does not support the operation");
        default:
            return fail(Errno::io, "the backend answered status " + std::to_string(status));
    }
}

}  // namespace

Result<std::unique_ptr<BlkfrontRing>> BlkfrontRing::allocate(Platform& platform, DomId backend, std::uint16_t handle,
                                                             xenbus::Service::Poke poke) {
    std::unique_ptr<BlkfrontRing> made(new BlkfrontRing(platform, backend, handle));
    auto page = platform.memory().allocate();
    if (!page) return fail(page.error().code, "no frame for the ring: " + page.error().message);
    made->page_ = std::move(*page);
    made->ring_ = ring::FrontRing<Request, Response>::create(platform.memory().window(made->page_->gfn()));

    auto grant = platform.grants().grant(backend, made->page_->gfn(), Access::read_write);
    if (!grant) return fail(grant.error().code, "no grant for the ring: " + grant.error().message);
    made->grant_ = std::move(*grant);

    auto doorbell = xenbus::Doorbell::allocate(platform.events(), backend, std::move(poke));
    if (!doorbell) return fail(doorbell.error().code, "no event channel: " + doorbell.error().message);
    made->doorbell_ = std::move(*doorbell);

    made->slots_.resize(made->ring_.size());
    for (std::size_t i = made->slots_.size(); i-- > 0;) made->free_.push_back(static_cast<std::uint16_t>(i));
    return made;
}

BlkfrontRing::~BlkfrontRing() {
    doorbell_.close();
    for (Slot& slot : slots_)
        if (slot.op) release(slot);
    grant_.reset(std::move(page_));
}

Result<> BlkfrontRing::put(BlkOp& op) {
    Slot& slot = slots_[free_.back()];
    const auto operation = wire_op(op.kind);
    Request request;
    clear(request);
    request.operation = slot.operation = static_cast<std::uint8_t>(operation);
    request.nr_segments = op.segment_count;
    request.handle = handle_;
    request.id = slot.id = made_ << kSlotBits | free_.back();
    request.sector_number = op.sector;

    const Access access = operation == Op::read ? Access::read_write : Access::read_only;
    for (unsigned i = 0; i < op.segment_count; ++i) {
        auto grant = platform_.grants().grant(backend_, op.segments[i].gfn, access);
        if (!grant) {
            // The backend has not heard of these.
            for (unsigned made = 0; made < i; ++made) slot.grants[made].reset();
            return std::unexpected(grant.error());
        }
        request.seg[i].gref = grant->ref().value;
        request.seg[i].first_sect = op.segments[i].first;
        request.seg[i].last_sect = op.segments[i].last;
        slot.grants[i] = std::move(*grant);
    }
    slot.op = &op;
    ++made_;
    ++in_flight_;
    free_.pop_back();
    ring_.put(request);
    staged_ = true;
    return {};
}

void BlkfrontRing::push() {
    if (std::exchange(staged_, false) && ring_.push()) doorbell_.notify();
}

Result<BlkOp*> BlkfrontRing::take() {
    const auto taken = ring_.take();
    if (!taken) return fail(Errno::inval, ring::describe(taken.error()));
    if (!*taken) return nullptr;
    const Response& response = **taken;

    const std::uint64_t index = response.id & ((1u << kSlotBits) - 1);
    Slot* const slot = index < slots_.size() ? &slots_[index] : nullptr;
    if (!slot || !slot->op || slot->id != response.id)
        return fail(Errno::inval, "a response with id " + std::to_string(response.id) + ", which is not in flight");
    if (slot->operation != response.operation)
        return fail(Errno::inval, "a response with operation " + std::to_string(response.operation) +
                                      " to a request with operation " + std::to_string(slot->operation));
    BlkOp* const op = slot->op;
    op->result = result_of(response.status);
    release(*slot);
    free_.push_back(static_cast<std::uint16_t>(index));
    return op;
}

bool BlkfrontRing::sleep_unless_work() {
    doorbell_.rearm();
    return ring_.sleep_unless_work();
}

void BlkfrontRing::rebind() { ring_.rebind(platform_.memory().window(page_->gfn())); }

std::vector<BlkOp*> BlkfrontRing::collect() {
    std::vector<Slot*> live;
    for (Slot& slot : slots_)
        if (slot.op) live.push_back(&slot);
    // Ids rise with each request: the number of the request stands above the slot.
    std::ranges::sort(live, {}, &Slot::id);

    std::vector<BlkOp*> ops;
    for (Slot* slot : live) {
        ops.push_back(slot->op);
        release(*slot);
        free_.push_back(static_cast<std::uint16_t>(slot - slots_.data()));
    }
    return ops;
}

/// Ends the grants; a page that the backend still maps goes with its grant.
void BlkfrontRing::release(Slot& slot) {
    for (unsigned i = 0; i < slot.op->segment_count; ++i) slot.grants[i].reset(slot.op->segments[i].keep);
    slot.op = nullptr;
    --in_flight_;
}

}  // namespace xenrig::blk
