#include "blkfront_ring.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "xenrig/drivers/blk/command.h"

namespace xenrig::blk {

namespace {

/// An id is the slot, and above it the number of the request in this connection.
constexpr unsigned kSlotBits = 16;

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

bool reads(const BlkOp& op) { return op.kind == BlkOp::Kind::read; }

/// The same bytes of another frame of ours.
void copy_segment(Memory& memory, Gfn from, Gfn to, const BlkSegment& s) {
    std::array<std::byte, kPageSize> bytes;
    const auto part = std::span(bytes).first((s.last - s.first + 1u) * kUnit);
    memory.read(from, s.first * kUnit, part);
    memory.write(to, s.first * kUnit, part);
}

}  // namespace

BlkfrontRing::BlkfrontRing(Platform& platform, DomId backend, std::uint16_t handle)
    : platform_(platform), backend_(backend), handle_(handle), pool_(platform.grants(), platform.memory(), backend) {}

Result<std::unique_ptr<BlkfrontRing>> BlkfrontRing::allocate(Platform& platform, DomId backend, std::uint16_t handle,
                                                             std::size_t pages, Layout layout,
                                                             xenbus::Service::Poke poke) {
    std::unique_ptr<BlkfrontRing> made(new BlkfrontRing(platform, backend, handle));
    while (made->pages_.size() < pages) {
        auto page = made->pool_.make(Access::read_write);
        if (!page) return fail(page.error().code, "no page or no grant for the ring: " + page.error().message);
        made->pages_.push_back(std::move(*page));
    }
    made->ring_ = FrontAbiRing::create(made->window(), layout);

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
    for (GrantedPage& page : pages_) page.end();
}

std::vector<GrantRef> BlkfrontRing::refs() const {
    std::vector<GrantRef> refs;
    refs.reserve(pages_.size());
    for (const GrantedPage& page : pages_) refs.push_back(page.grant.ref());
    return refs;
}

shared::Window BlkfrontRing::window() const {
    std::vector<Gfn> frames;
    frames.reserve(pages_.size());
    for (const GrantedPage& page : pages_) frames.push_back(page.frame->gfn());
    return platform_.memory().window(frames);
}

/// A backend that can't flush but keeps barriers flushes by one without data.
Op BlkfrontRing::wire_op(BlkOp::Kind kind) const {
    switch (kind) {
        case BlkOp::Kind::read:
            return Op::read;
        case BlkOp::Kind::write:
            return Op::write;
        case BlkOp::Kind::flush:
            return features_.flush ? Op::flush : Op::barrier;
        case BlkOp::Kind::discard:
            return Op::discard;
        case BlkOp::Kind::barrier:
            return Op::barrier;
    }
    return Op::flush;
}

Result<> BlkfrontRing::put(BlkOp& op) {
    auto& progress = op.progress;
    while (!progress.all_put && !free_.empty()) {
        const std::uint16_t index = free_.back();
        Slot& slot = slots_[index];
        slot.op = &op;
        slot.operation = static_cast<std::uint8_t>(wire_op(op.kind));
        slot.sector = (op.sector + progress.units_put) / features_.wire.number;
        slot.first = progress.segments_put;
        slot.count = std::min<std::size_t>(features_.segments, op.segments.size() - slot.first);
        ++in_flight_;
        if (auto prepared = prepare(slot); !prepared) {
            // The backend has not heard of it.
            release(slot);
            return prepared;
        }
        slot.id = made_++ << kSlotBits | index;
        free_.pop_back();
        ring_.put(request_of(slot));
        staged_ = true;

        for (const BlkSegment& s : std::span(op.segments).subspan(slot.first, slot.count))
            progress.units_put += s.last - s.first + 1u;
        progress.segments_put += slot.count;
        progress.all_put = progress.segments_put == op.segments.size();
        ++progress.requests;
    }
    return {};
}

Result<> BlkfrontRing::prepare(Slot& slot) {
    if (slot.count == 0) return {};
    auto prepared = prepare_pages(slot);
    if (prepared && slot.count > kSegmentsMax) prepared = prepare_indirect(slot);
    const bool divisible = slot.op->kind != BlkOp::Kind::barrier && !slot.pages.empty();
    if (prepared || in_flight_ > 1 || !divisible) return prepared;
    // Nothing in flight will free a page: a smaller request does with those that were to be had.
    shorten(slot, std::min<std::size_t>(slot.pages.size(), kSegmentsMax));
    return {};
}

Result<> BlkfrontRing::prepare_pages(Slot& slot) {
    const bool into_memory = reads(*slot.op);
    for (const BlkSegment& segment : std::span(slot.op->segments).subspan(slot.first, slot.count)) {
        if (features_.persistent) {
            auto page = pool_.take();
            if (page) {
                if (!into_memory) copy_segment(platform_.memory(), segment.gfn, page->frame->gfn(), segment);
                slot.pages.push_back(std::move(*page));
                continue;
            }
            // No page to copy through. A response will free one; where none is to come, the operation's own page must
            // do, which the backend may map for long.
            if (in_flight_ > 1) return std::unexpected(page.error());
        }
        auto grant = platform_.grants().grant(
            backend_, segment.gfn, into_memory || features_.persistent ? Access::read_write : Access::read_only);
        if (!grant) return std::unexpected(grant.error());
        slot.pages.push_back({nullptr, std::move(*grant)});
    }
    return {};
}

Result<> BlkfrontRing::prepare_indirect(Slot& slot) {
    const std::vector<blkif_request_segment> segments = segments_of(slot);
    for (std::size_t at = 0; at < segments.size(); at += kSegmentsPerPage) {
        auto page = features_.persistent ? pool_.take() : pool_.make(Access::read_only);
        if (!page) return std::unexpected(page.error());
        const auto some = std::span(segments).subspan(at, std::min(kSegmentsPerPage, segments.size() - at));
        platform_.memory().write(page->frame->gfn(), 0, std::as_bytes(some));
        slot.indirect.push_back(std::move(*page));
    }
    return {};
}

std::vector<blkif_request_segment> BlkfrontRing::segments_of(const Slot& slot) const {
    std::vector<blkif_request_segment> segments(slot.count);
    for (std::size_t i = 0; i < slot.count; ++i) {
        const BlkSegment& segment = slot.op->segments[slot.first + i];
        clear(segments[i]);
        segments[i].gref = slot.pages[i].grant.ref().value;
        const std::uint32_t unit = features_.wire.segment;
        segments[i].first_sect = static_cast<std::uint8_t>(segment.first / unit);
        segments[i].last_sect = static_cast<std::uint8_t>((segment.last + 1u) / unit - 1);
    }
    return segments;
}

Request BlkfrontRing::request_of(const Slot& slot) const {
    const BlkOp& op = *slot.op;
    Request request;
    clear(request);
    if (op.kind == BlkOp::Kind::discard) {
        blkif_request_discard_t discard;
        clear(discard);
        discard.operation = slot.operation;
        discard.flag = op.secure ? BLKIF_DISCARD_SECURE : 0;
        discard.handle = handle_;
        discard.id = slot.id;
        discard.sector_number = slot.sector;
        discard.nr_sectors = op.units / features_.wire.number;
        std::memcpy(static_cast<void*>(&request), &discard, sizeof discard);
    } else if (!slot.indirect.empty()) {
        blkif_request_indirect_t indirect;
        clear(indirect);
        indirect.operation = BLKIF_OP_INDIRECT;
        indirect.indirect_op = slot.operation;
        indirect.nr_segments = static_cast<std::uint16_t>(slot.count);
        indirect.id = slot.id;
        indirect.sector_number = slot.sector;
        indirect.handle = handle_;
        for (std::size_t i = 0; i < slot.indirect.size(); ++i)
            indirect.indirect_grefs[i] = slot.indirect[i].grant.ref().value;
        std::memcpy(static_cast<void*>(&request), &indirect, sizeof indirect);
    } else {
        request.operation = slot.operation;
        request.nr_segments = static_cast<std::uint8_t>(slot.count);
        request.handle = handle_;
        request.id = slot.id;
        request.sector_number = slot.sector;
        std::ranges::copy(segments_of(slot), request.seg);
    }
    return request;
}

Result<> BlkfrontRing::push() {
    if (!std::exchange(staged_, false) || !ring_.push()) return {};
    return doorbell_.notify();
}

Result<BlkOp*> BlkfrontRing::take() {
    for (;;) {
        const auto taken = ring_.take();
        if (!taken) return fail(Errno::inval, ring::describe(taken.error()));
        if (!*taken) return nullptr;
        const Response& response = **taken;

        const std::uint64_t index = response.id & ((1u << kSlotBits) - 1);
        Slot* const slot = index < slots_.size() ? &slots_[index] : nullptr;
        if (!slot || !slot->op || slot->id != response.id)
            return fail(Errno::inval, "a response with id " + std::to_string(response.id) + ", which is not in flight");
        // To an indirect request some answer with what it says inside, and some with what it is.
        if (response.operation != slot->operation &&
            (slot->indirect.empty() || response.operation != BLKIF_OP_INDIRECT))
            return fail(Errno::inval, "a response with operation " + std::to_string(response.operation) +
                                          " to a request with operation " + std::to_string(slot->operation));
        BlkOp* const op = slot->op;
        if (moved_ && reads(*op)) continue;
        if (auto result = result_of(response.status); !result && op->result) op->result = std::move(result);
        if (response.status == BLKIF_RSP_OKAY) copy_back(*slot);
        release(*slot);
        free_.push_back(static_cast<std::uint16_t>(index));
        if (--op->progress.requests == 0 && op->progress.all_put) return op;
    }
}

void BlkfrontRing::copy_back(const Slot& slot) {
    if (!reads(*slot.op)) return;
    for (std::size_t i = 0; i < slot.pages.size(); ++i) {
        const BlkSegment& segment = slot.op->segments[slot.first + i];
        if (const FramePtr& frame = slot.pages[i].frame)
            copy_segment(platform_.memory(), frame->gfn(), segment.gfn, segment);
    }
}

bool BlkfrontRing::sleep_unless_work() {
    doorbell_.rearm();
    return ring_.sleep_unless_work();
}

void BlkfrontRing::rebind() {
    ring_.rebind(window());
    moved_ = true;
}

std::vector<BlkOp*> BlkfrontRing::collect() {
    std::vector<BlkOp*> ops;
    for (Slot& slot : slots_) {
        if (!slot.op) continue;
        // An operation of several requests is found once.
        if (std::exchange(slot.op->progress.requests, 0) != 0) ops.push_back(slot.op);
        release(slot);
        free_.push_back(static_cast<std::uint16_t>(&slot - slots_.data()));
    }
    return ops;
}

/// Ends its grant; where the backend still maps the page, that goes with it.
void BlkfrontRing::end_page(Slot& slot, std::size_t i) {
    if (slot.pages[i].frame)
        pool_.give(std::move(slot.pages[i]));
    else
        slot.pages[i].grant.reset(slot.op->segments[slot.first + i].keep);
}

/// To a request of its first `count` segments, without indirect pages.
void BlkfrontRing::shorten(Slot& slot, std::size_t count) {
    for (std::size_t i = count; i < slot.pages.size(); ++i) end_page(slot, i);
    slot.pages.resize(count);
    end_indirect(slot);
    slot.count = count;
}

void BlkfrontRing::end_indirect(Slot& slot) {
    for (GrantedPage& page : slot.indirect) {
        if (features_.persistent)
            pool_.give(std::move(page));
        else
            page.end();
    }
    slot.indirect.clear();
}

void BlkfrontRing::release(Slot& slot) {
    for (std::size_t i = 0; i < slot.pages.size(); ++i) end_page(slot, i);
    slot.pages.clear();
    end_indirect(slot);
    slot.op = nullptr;
    --in_flight_;
}

}  // namespace xenrig::blk
