#include "xenrig/drivers/blk/blkfront.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <mutex>
#include <utility>

#include "blkfront_ring.h"
#include "xenrig/abi/check.h"
#include "xenrig/drivers/blk/command.h"
#include "xenrig/drivers/blk/wire.h"
#include "xenrig/xenbus/nodes.h"

#include <xen/io/protocols.h>

namespace xenrig::blk {

namespace {

void answer(BlkOp& op, Result<> result) {
    op.result = std::move(result);
    const auto done = std::move(op.done);
    if (done) done(op);
}

void answer(BlkOp& op) { answer(op, std::move(op.result)); }

/// The number at the end of "device/vbd/51712": requests carry its low bits, and nobody looks at them.
std::uint16_t handle_of(const std::string& path) {
    unsigned number = 0;
    const std::size_t at = path.rfind('/') + 1;
    std::from_chars(path.data() + at, path.data() + path.size(), number);
    return static_cast<std::uint16_t>(number);
}

bool whole(std::uint64_t units, std::uint32_t sector_bytes) { return units % (sector_bytes / kUnit) == 0; }

}  // namespace

/// A ring and the task that serves it.
struct Blkfront::Lane {
    Lane(Blkfront& owner, const std::string& name)
        : service(owner.platform_, name, [&owner, this] { owner.work(*this); }) {}

    // The service's, or under its pause.
    std::unique_ptr<BlkfrontRing> ring;
    /// Taken from the queue, and not yet put whole.
    BlkOp* unfinished = nullptr;

    xenbus::Service service;
};

/// No service runs in this scope.
class Blkfront::AllPaused {
public:
    explicit AllPaused(Blkfront& owner) : owner_(owner) {
        for (const auto& lane : owner_.lanes_) lane->service.pause();
    }
    ~AllPaused() {
        for (const auto& lane : owner_.lanes_) lane->service.unpause();
    }
    AllPaused(const AllPaused&) = delete;
    AllPaused& operator=(const AllPaused&) = delete;

private:
    Blkfront& owner_;
};

Blkfront::Blkfront(Platform& platform, std::string path, xenbus::DeviceLink link, BlkfrontOptions options)
    : platform_(platform),
      path_(std::move(path)),
      link_(std::move(link)),
      options_(options),
      phase_changed_("a connection of " + path_) {
    check(options_.indirect_segments <= kIndirectSegmentsMax && 1u << options_.ring_page_order <= kRingPagesMax,
          "blkfront's options are within the protocol's limits");
    for (std::uint32_t i = 0; i < std::max(1u, options_.queues); ++i)
        lanes_.push_back(std::make_unique<Lane>(*this, "blkfront " + path_ + (i ? " queue " + std::to_string(i) : "")));
}

Blkfront::~Blkfront() {
    const xenbus::DeferUnwinding defer;
    for (const auto& lane : lanes_) lane->service.stop();
    disconnect({Errno::nodev, "the device is gone"});
    fail_queue();
}

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

Result<DiskInfo> Blkfront::wait_connected() {
    const std::lock_guard held(lock_);
    phase_changed_.wait(lock_, [this] { return phase_ != Phase::connecting; });
    if (phase_ == Phase::closed) return std::unexpected(why_closed_);
    return info_;
}

Result<DiskInfo> Blkfront::wait_resized(std::uint64_t sectors) {
    const std::lock_guard held(lock_);
    phase_changed_.wait(
        lock_, [&] { return phase_ == Phase::closed || (phase_ == Phase::connected && info_.sectors != sectors); });
    if (phase_ == Phase::closed) return std::unexpected(why_closed_);
    return info_;
}

Result<> Blkfront::eject() {
    const auto info = wait_connected();
    if (!info) return std::unexpected(info.error());
    if (!info->cdrom) return fail(Errno::nodev, "not a drive with a medium to take out");
    return platform_.store().write(StoreTx::none, path_ + "/eject", "eject");
}

void Blkfront::set_phase(Phase phase, const Error& why) {
    {
        const std::lock_guard held(lock_);
        phase_ = phase;
        why_closed_ = why;
    }
    phase_changed_.wake_all();
}

Result<> Blkfront::allocate(const xenbus::Endpoint& device) {
    // A backend that says nothing knows one ring of one page.
    Store& store = device.store();
    const auto order = std::min(
        options_.ring_page_order,
        options_.ring_page_order == 0 ? 0 : xenbus::read_number_or(store, device.peer_node("max-ring-page-order"), 0u));
    const auto queues = options_.queues <= 1
                            ? 1
                            : std::clamp(xenbus::read_number_or(store, device.peer_node("multi-queue-max-queues"), 1u),
                                         1u, options_.queues);

    const AllPaused paused(*this);
    issuing_ = false;
    refused_to_close_ = false;
    for (const auto& lane : lanes_) lane->ring.reset();
    for (std::uint32_t i = 0; i < queues; ++i) {
        auto ring = BlkfrontRing::allocate(platform_, device.peer().domain, handle_of(path_), std::size_t{1} << order,
                                           lanes_[i]->service.poker());
        if (!ring) return std::unexpected(ring.error());
        lanes_[i]->ring = std::move(*ring);
    }
    {
        const std::lock_guard held(lock_);
        lanes_in_use_ = queues;
    }
    const bool again = closed();
    set_phase(Phase::connecting);
    if (again && on_reopen_) on_reopen_();
    return {};
}

Result<> Blkfront::publish(const xenbus::Endpoint& device, StoreTx tx) {
    std::vector<std::pair<std::string, std::string>> nodes;
    const std::size_t pages = lanes_.front()->ring->refs().size();
    for (std::size_t i = 0; i < lanes_in_use_; ++i) {
        const BlkfrontRing& ring = *lanes_[i]->ring;
        const std::string below = lanes_in_use_ == 1 ? "" : "queue-" + std::to_string(i) + "/";
        const std::vector<GrantRef> refs = ring.refs();
        for (std::size_t page = 0; page < refs.size(); ++page)
            nodes.emplace_back(below + "ring-ref" + (pages == 1 ? "" : std::to_string(page)),
                               std::to_string(refs[page].value));
        nodes.emplace_back(below + "event-channel", std::to_string(ring.port().value));
    }
    if (pages > 1) {
        // Both names, as note 3 of blkif.h asks.
        nodes.emplace_back("ring-page-order", std::to_string(std::countr_zero(pages)));
        nodes.emplace_back("num-ring-pages", std::to_string(pages));
    }
    if (lanes_in_use_ > 1) nodes.emplace_back("multi-queue-num-queues", std::to_string(lanes_in_use_));
    nodes.emplace_back("protocol", XEN_IO_PROTO_ABI_NATIVE);
    if (options_.persistent_grants) nodes.emplace_back("feature-persistent", "1");
    if (options_.units.announced) nodes.emplace_back("feature-large-sector-size", "1");
    for (const auto& [name, value] : nodes)
        if (auto written = device.store().write(tx, device.node(name), value); !written) return written;
    return {};
}

/// Made afresh: what the backend of an earlier connection could do says nothing of this one's.
Result<DiskInfo> Blkfront::read_disk(const xenbus::Endpoint& device) const {
    Store& store = device.store();
    DiskInfo info;
    // First the nodes that may be missing: a backend whose directory goes meanwhile is then missed by the others.
    const auto feature = [&](const char* name) { return xenbus::read_feature(store, device.peer_node(name)); };
    info.can_barrier = feature("feature-barrier");
    info.can_flush = feature("feature-flush-cache") || info.can_barrier;
    const bool can_discard = feature("feature-discard");
    const auto granularity =
        can_discard ? xenbus::read_number_or(store, device.peer_node("discard-granularity"), 0u) : 0;
    if (can_discard) {
        info.discard_alignment = xenbus::read_number_or(store, device.peer_node("discard-alignment"), 0u);
        info.can_discard_securely = feature("discard-secure");
    }
    const auto physical = xenbus::read_number_or(store, device.peer_node("physical-sector-size"), 0u);

    const auto sectors = xenbus::read_number<std::uint64_t>(store, device.peer_node("sectors"));
    if (!sectors) return std::unexpected(sectors.error());
    const auto sector_bytes = xenbus::read_number<std::uint32_t>(store, device.peer_node("sector-size"));
    if (!sector_bytes) return std::unexpected(sector_bytes.error());
    const auto flags = xenbus::read_number<std::uint32_t>(store, device.peer_node("info"));
    if (!flags) return std::unexpected(flags.error());
    if (!std::has_single_bit(*sector_bytes) || *sector_bytes < kUnit || *sector_bytes > kPageSize)
        return fail(Errno::inval, device.peer_node("sector-size") + " is " + std::to_string(*sector_bytes) +
                                      ", not a power of two from 512 to 4096");
    const auto units = in_units(device, *sectors, *sector_bytes);
    if (!units) return std::unexpected(units.error());
    info.sectors = *units;
    info.sector_bytes = *sector_bytes;
    info.physical_sector_bytes = physical != 0 ? physical : info.sector_bytes;
    info.read_only = (*flags & VDISK_READONLY) != 0;
    info.removable = (*flags & VDISK_REMOVABLE) != 0;
    info.cdrom = (*flags & VDISK_CDROM) != 0;
    if (can_discard) info.discard_granularity = granularity != 0 ? granularity : info.sector_bytes;
    return info;
}

Result<std::uint64_t> Blkfront::in_units(const xenbus::Endpoint& device, std::uint64_t sectors,
                                         std::uint32_t sector_bytes) const {
    const std::uint32_t unit = wire_units(options_.units, sector_bytes).size;
    if (sectors <= ~std::uint64_t{0} / unit) return sectors * unit;
    return fail(Errno::inval, device.peer_node("sectors") + " is " + std::to_string(sectors) + ", which is no disk");
}

Result<> Blkfront::connect(const xenbus::Endpoint& device) {
    Store& store = device.store();
    BlkfrontRing::Features features;
    features.persistent =
        options_.persistent_grants && xenbus::read_feature(store, device.peer_node("feature-persistent"));
    if (options_.indirect_segments > kSegmentsMax) {
        const auto offered = xenbus::read_number_or(store, device.peer_node("feature-max-indirect-segments"), 0u);
        features.segments = std::max(kSegmentsMax, std::min(offered, options_.indirect_segments));
    }
    features.flush = xenbus::read_feature(store, device.peer_node("feature-flush-cache"));
    auto info = read_disk(device);
    if (!info) return std::unexpected(info.error());
    features.wire = wire_units(options_.units, info->sector_bytes);
    {
        const std::lock_guard held(lock_);
        info_ = *info;
    }
    {
        const AllPaused paused(*this);
        if (!issuing_)
            for (const auto& lane : lanes_)
                if (lane->ring) lane->ring->use(features);
        issuing_ = true;
    }
    set_phase(Phase::connected);
    poke_all();
    return {};
}

/// As Linux's: only the size may change under a disk in use.
Result<> Blkfront::backend_changed(const xenbus::Endpoint& device) {
    const auto sectors = xenbus::read_number<std::uint64_t>(device.store(), device.peer_node("sectors"));
    // A directory that goes is the bus's to notice.
    if (!sectors && sectors.error().code == Errno::noent) return {};
    if (!sectors) return std::unexpected(sectors.error());
    {
        const std::lock_guard held(lock_);
        const auto units = in_units(device, *sectors, info_.sector_bytes);
        if (!units) return std::unexpected(units.error());
        if (info_.sectors == *units) return {};
        info_.sectors = *units;
    }
    phase_changed_.wake_all();
    return {};
}

bool Blkfront::quiesce() {
    if (users_ != 0) {
        if (!std::exchange(refused_to_close_, true))
            (void)platform_.store().write(StoreTx::none, "error/" + path_ + "/error",
                                          "16 Device in use; refusing to close");
        return false;
    }
    const AllPaused paused(*this);
    issuing_ = false;
    return std::ranges::all_of(lanes_, [](const auto& lane) { return !lane->ring || lane->ring->idle(); });
}

/// What a lane has not answered; it is idle afterwards.
std::vector<BlkOp*> Blkfront::withdraw(Lane& lane) {
    std::vector<BlkOp*> ops;
    BlkOp* const unfinished = std::exchange(lane.unfinished, nullptr);
    if (unfinished && unfinished->progress.requests == 0) ops.push_back(unfinished);
    std::ranges::copy(lane.ring->collect(), std::back_inserter(ops));
    return ops;
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

void Blkfront::disconnect(const Error& why) {
    {
        const AllPaused paused(*this);
        issuing_ = false;
        std::vector<BlkOp*> unanswered;
        for (const auto& lane : lanes_) {
            if (!lane->ring) continue;
            std::ranges::copy(withdraw(*lane), std::back_inserter(unanswered));
            lane->ring.reset();
        }
        requeue(std::move(unanswered));
        set_phase(Phase::closed, why);
    }
    // A service answers what is in the queue.
    poke_all();
}

void Blkfront::suspend() {
    for (const auto& lane : lanes_) lane->service.pause();
}

void Blkfront::cancel_suspend() {
    for (const auto& lane : lanes_) lane->service.unpause();
    poke_all();
}

void Blkfront::resume() {
    std::vector<BlkOp*> answered, unanswered;
    for (const auto& lane : lanes_) {
        if (!lane->ring) continue;
        // Collected before anything is rebuilt. The old ring's pages came along, with every response that was in them.
        lane->ring->rebind();
        for (auto op = lane->ring->take(); op && *op; op = lane->ring->take()) answered.push_back(*op);
        std::ranges::copy(withdraw(*lane), std::back_inserter(unanswered));
        lane->ring.reset();
    }
    requeue(std::move(unanswered));
    issuing_ = false;
    set_phase(Phase::connecting);
    for (const auto& lane : lanes_) lane->service.unpause();
    for (BlkOp* op : answered) answer(*op);
    operations_over(answered.size());
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

xenbus::FrontendFactory blkfront_factory(Platform& platform, std::function<void(std::shared_ptr<Blkfront>)> on_disk,
                                         BlkfrontOptions options) {
    return [&platform, on_disk = std::move(on_disk), options](const std::string& path, xenbus::DeviceLink link) {
        auto disk = std::make_shared<Blkfront>(platform, path, std::move(link), options);
        if (on_disk) on_disk(disk);
        return disk;
    };
}

}  // namespace xenrig::blk
