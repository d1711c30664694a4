#include "xenrig/drivers/blk/blkfront.h"

#include <charconv>
#include <mutex>

#include "blkfront_ring.h"
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

Blkfront::Blkfront(Platform& platform, std::string path, xenbus::DeviceLink link)
    : platform_(platform),
      path_(std::move(path)),
      link_(std::move(link)),
      phase_changed_("a connection of " + path_),
      service_(platform, "blkfront " + path_, [this] { work(); }) {}

Blkfront::~Blkfront() {
    const xenbus::DeferUnwinding defer;
    service_.stop();
    disconnect({Errno::nodev, "the device is gone"});
    fail_queue();
}

void Blkfront::submit(BlkOp& op) {
    {
        const std::lock_guard held(lock_);
        queue_.push_back(&op);
    }
    service_.poke();
}

Result<DiskInfo> Blkfront::wait_connected() {
    const std::lock_guard held(lock_);
    phase_changed_.wait(lock_, [this] { return phase_ != Phase::connecting; });
    if (phase_ == Phase::closed) return std::unexpected(why_closed_);
    return info_;
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
    const xenbus::Paused paused(service_);
    issuing_ = false;
    ring_.reset();
    auto ring = BlkfrontRing::allocate(platform_, device.peer().domain, handle_of(path_), service_.poker());
    if (!ring) return std::unexpected(ring.error());
    ring_ = std::move(*ring);
    set_phase(Phase::connecting);
    return {};
}

Result<> Blkfront::publish(const xenbus::Endpoint& device, StoreTx tx) {
    const std::pair<const char*, std::string> nodes[] = {
        {"ring-ref", std::to_string(ring_->ref().value)},
        {"event-channel", std::to_string(ring_->port().value)},
        {"protocol", XEN_IO_PROTO_ABI_NATIVE},
    };
    for (const auto& [name, value] : nodes)
        if (auto written = device.store().write(tx, device.node(name), value); !written) return written;
    return {};
}

Result<> Blkfront::connect(const xenbus::Endpoint& device) {
    Store& store = device.store();
    // First the nodes that may be missing: a backend whose directory goes meanwhile is then missed by the others.
    const bool can_flush = xenbus::read_feature(store, device.peer_node("feature-flush-cache"));
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

    // Made afresh: what the backend of an earlier connection could do says nothing of this one's.
    DiskInfo info{.sectors = *sectors, .sector_bytes = *sector_bytes};
    info.physical_sector_bytes = physical != 0 ? physical : info.sector_bytes;
    info.read_only = (*flags & VDISK_READONLY) != 0;
    info.removable = (*flags & VDISK_REMOVABLE) != 0;
    info.cdrom = (*flags & VDISK_CDROM) != 0;
    info.can_flush = can_flush;
    {
        const std::lock_guard held(lock_);
        info_ = info;
    }
    {
        const xenbus::Paused paused(service_);
        issuing_ = true;
    }
    set_phase(Phase::connected);
    service_.poke();
    return {};
}

bool Blkfront::quiesce() {
    const xenbus::Paused paused(service_);
    issuing_ = false;
    return !ring_ || ring_->idle();
}

void Blkfront::disconnect(const Error& why) {
    {
        const xenbus::Paused paused(service_);
        issuing_ = false;
        if (ring_) {
            const std::vector<BlkOp*> unanswered = ring_->collect();
            ring_.reset();
            const std::lock_guard held(lock_);
            queue_.insert(queue_.begin(), unanswered.begin(), unanswered.end());
        }
        set_phase(Phase::closed, why);
    }
    // The service answers what is in the queue.
    service_.poke();
}

void Blkfront::suspend() { service_.pause(); }

void Blkfront::cancel_suspend() {
    service_.unpause();
    service_.poke();
}

void Blkfront::resume() {
    std::vector<BlkOp*> answered;
    if (ring_) {
        // Collected before anything is rebuilt. The old ring's page came along, with every response that was in it.
        ring_->rebind();
        for (auto op = ring_->take(); op && *op; op = ring_->take()) answered.push_back(*op);
        const std::vector<BlkOp*> unanswered = ring_->collect();
        ring_.reset();
        const std::lock_guard held(lock_);
        queue_.insert(queue_.begin(), unanswered.begin(), unanswered.end());
    }
    issuing_ = false;
    set_phase(Phase::connecting);
    service_.unpause();
    for (BlkOp* op : answered) answer(*op);
}

void Blkfront::work() {
    if (!ring_) {
        bool closed;
        {
            const std::lock_guard held(lock_);
            closed = phase_ == Phase::closed;
        }
        if (closed) fail_queue();
        return;
    }

    std::vector<BlkOp*> answered;
    auto op = ring_->take();
    for (; op && *op; op = ring_->take()) answered.push_back(*op);
    if (!op) {
        // No more of this backend. The handshake fails what is in flight.
        issuing_ = false;
        link_.fail({op.error().code, "blkfront: " + op.error().message});
    } else if (issuing_) {
        issue();
    } else if (!answered.empty() && ring_->idle()) {
        // quiesce() waits for this.
        link_.poke();
    }
    const bool look_again = op && !ring_->sleep_unless_work();
    for (BlkOp* done : answered) answer(*done);
    if (look_again) service_.poke();
}

/// Why an operation does not go onto the ring at all.
std::optional<Error> Blkfront::refusal(const BlkOp& op) const {
    if (op.kind == BlkOp::Kind::flush) {
        if (op.segment_count != 0) return Error{Errno::inval, "a flush has no segments"};
        if (!info_.can_flush) return Error{Errno::opnotsupp, "the backend can't flush"};
        return {};
    }
    if (op.kind == BlkOp::Kind::write && info_.read_only) return Error{Errno::rofs, "the disk is read-only"};
    if (op.segment_count == 0 || op.segment_count > BlkOp::kSegmentsMax)
        return Error{Errno::inval, "an operation has 1 to 11 segments"};
    if (!whole(op.sector, info_.sector_bytes)) return Error{Errno::inval, "not at a sector of the disk"};
    std::uint64_t units = 0;
    for (std::size_t i = 0; i < op.segment_count; ++i) {
        const BlkSegment& s = op.segments[i];
        if (s.first > s.last || s.last >= kUnitsPerPage)
            return Error{Errno::inval, "a segment's sectors lie in order inside its page"};
        if (!whole(s.first, info_.sector_bytes) || !whole(s.last + 1u, info_.sector_bytes))
            return Error{Errno::inval, "not whole sectors of the disk"};
        units += s.last - s.first + 1u;
    }
    if (op.sector > info_.sectors || units > info_.sectors - op.sector)
        return Error{Errno::inval, "beyond the end of the disk"};
    return {};
}

/// From the queue onto the ring, as long as there is room.
void Blkfront::issue() {
    std::vector<std::pair<BlkOp*, Error>> refused;
    while (!ring_->full()) {
        BlkOp* next;
        std::optional<Error> why_not;
        {
            const std::lock_guard held(lock_);
            if (queue_.empty()) break;
            next = queue_.front();
            queue_.pop_front();
            why_not = refusal(*next);
        }
        if (!why_not) {
            const auto put = ring_->put(*next);
            if (put) continue;
            if (!ring_->idle()) {
                // A response will free grants.
                const std::lock_guard held(lock_);
                queue_.push_front(next);
                break;
            }
            why_not = put.error();
        }
        refused.emplace_back(next, *why_not);
    }
    ring_->push();
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

xenbus::FrontendFactory blkfront_factory(Platform& platform, std::function<void(std::shared_ptr<Blkfront>)> on_disk) {
    return [&platform, on_disk = std::move(on_disk)](const std::string& path, xenbus::DeviceLink link) {
        auto disk = std::make_shared<Blkfront>(platform, path, std::move(link));
        if (on_disk) on_disk(disk);
        return disk;
    };
}

}  // namespace xenrig::blk
