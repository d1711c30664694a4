#include "xenrig/drivers/blk/blkfront.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <mutex>
#include <utility>

#include "blkfront_lane.h"
#include "xenrig/abi/check.h"
#include "xenrig/drivers/blk/command.h"
#include "xenrig/drivers/blk/wire.h"
#include "xenrig/xenbus/nodes.h"

#include <xen/io/protocols.h>

namespace xenrig::blk {

namespace {

/// The number at the end of "device/vbd/51712": requests carry its low bits, and nobody looks at them.
std::uint16_t handle_of(const std::string& path) {
    unsigned number = 0;
    const std::size_t at = path.rfind('/') + 1;
    std::from_chars(path.data() + at, path.data() + path.size(), number);
    return static_cast<std::uint16_t>(number);
}

}  // namespace

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
                                           options_.layout, lanes_[i]->service.poker());
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
    nodes.emplace_back("protocol",
                       options_.layout == Layout::x86_64 ? XEN_IO_PROTO_ABI_X86_64 : XEN_IO_PROTO_ABI_X86_32);
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

xenbus::FrontendFactory blkfront_factory(Platform& platform, std::function<void(std::shared_ptr<Blkfront>)> on_disk,
                                         BlkfrontOptions options) {
    return [&platform, on_disk = std::move(on_disk), options](const std::string& path, xenbus::DeviceLink link) {
        auto disk = std::make_shared<Blkfront>(platform, path, std::move(link), options);
        if (on_disk) on_disk(disk);
        return disk;
    };
}

}  // namespace xenrig::blk
