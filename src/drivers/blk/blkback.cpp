#include "xenrig/drivers/blk/blkback.h"

#include "blkback_news.h"
#include "blkback_ring.h"
#include "transport.h"
#include "xenrig/xenbus/nodes.h"

namespace xenrig::blk {

namespace {

using Numbers = std::vector<std::pair<const char*, std::uint64_t>>;

Result<> write_numbers(const xenbus::Endpoint& device, StoreTx tx, const Numbers& nodes) {
    for (const auto& [name, value] : nodes)
        if (auto written = device.store().write(tx, device.node(name), std::to_string(value)); !written) return written;
    return {};
}

}  // namespace

Blkback::Blkback(Platform& platform, std::string path, xenbus::DeviceLink link, StorageFactory storage,
                 BlkbackOptions options)
    : platform_(platform),
      path_(std::move(path)),
      link_(std::move(link)),
      open_storage_(std::move(storage)),
      news_(std::make_shared<News>()),
      options_(options) {}

Blkback::~Blkback() = default;

Result<> Blkback::open(const xenbus::Endpoint& device) {
    if (storage_) return {};
    auto mode = device.store().read(StoreTx::none, device.node("mode"));
    if (!mode) return fail(mode.error().code, "reading " + device.node("mode"));
    StorageRequest wanted{.read_only = !mode->starts_with('w')};
    wanted.params = device.store().read(StoreTx::none, device.node("params")).value_or("");
    wanted.type = device.store().read(StoreTx::none, device.node("type")).value_or("");

    const auto is_drive = [&] {
        return xenbus::read_feature(device.store(), device.node("removable")) &&
               device.store().read(StoreTx::none, device.node("device-type")).value_or("") == "cdrom";
    };
    auto storage = wanted.params.empty() && is_drive() ? no_medium() : open_storage_(wanted);
    if (!storage) return std::unexpected(storage.error());
    storage_ = std::move(*storage);
    watch_storage();
    may_discard_ = xenbus::read_number_or(device.store(), device.node("discard-enable"), 1u) != 0;
    removable_ = xenbus::read_feature(device.store(), device.node("removable"));
    cdrom_ = removable_ && is_drive();
    if (!cdrom_) return {};
    medium_ = wanted.params;
    return watch_medium(device);
}

Result<> Blkback::advertise(const xenbus::Endpoint& device, StoreTx tx) {
    const Offer offered = offer();
    const StorageInfo info = storage_->info();
    Numbers nodes;
    if (offered.flush) nodes.emplace_back("feature-flush-cache", 1);
    if (offered.barrier) nodes.emplace_back("feature-barrier", 1);
    if (offered.discard) {
        nodes.emplace_back("feature-discard", 1);
        nodes.emplace_back("discard-granularity", info.discard_granularity);
        nodes.emplace_back("discard-alignment", 0);
        nodes.emplace_back("discard-secure", info.can_discard_securely ? 1 : 0);
    }
    if (options_.persistent_grants != 0) nodes.emplace_back("feature-persistent", 1);
    if (offered.indirect_segments != 0) nodes.emplace_back("feature-max-indirect-segments", offered.indirect_segments);
    if (options_.ring_page_order != 0) {
        nodes.emplace_back("max-ring-page-order", options_.ring_page_order);
        nodes.emplace_back("max-ring-pages", 1u << options_.ring_page_order);
    }
    if (options_.queues > 1) nodes.emplace_back("multi-queue-max-queues", options_.queues);
    return write_numbers(device, tx, nodes);
}

Result<> Blkback::connect(const xenbus::Endpoint& device) {
    if (auto opened = open(device); !opened) return opened;
    if (cdrom_ && news_->medium.exchange(false))
        if (auto changed = change_medium(device); !changed) return std::unexpected(changed.error());
    const auto transport = read_transport(device, options_);
    if (!transport) return std::unexpected(transport.error());
    const StorageInfo info = storage_->info();
    if (options_.units.announced && info.sector_bytes != kUnit &&
        !xenbus::read_feature(device.store(), device.peer_node("feature-large-sector-size")))
        return fail(Errno::inval, "the disk's sectors of " + std::to_string(info.sector_bytes) + " bytes need " +
                                      device.peer_node("feature-large-sector-size"));
    const WireUnits wire = wire_units(options_.units, info.sector_bytes);
    news_->units = info.bytes / kUnit;
    said_cdrom_ = device.store().read(StoreTx::none, device.peer_node("device-type")).value_or("") == "cdrom";

    for (const auto& queue : transport->queues) {
        const std::string name =
            transport->queues.size() == 1 ? path_ : path_ + " queue " + std::to_string(rings_.size());
        auto ring = BlkbackRing::connect(
            platform_, name,
            {.frontend = device.peer().domain,
             .layout = transport->layout,
             .refs = queue.refs,
             .port = queue.port,
             .persistent_max = transport->persistent ? options_.persistent_grants : 0},
            {storage_, extent(), std::shared_ptr<const std::atomic<std::uint64_t>>(news_, &news_->units), offer(), wire,
             link_});
        if (!ring) {
            disconnect();
            return std::unexpected(ring.error());
        }
        rings_.push_back(std::move(*ring));
    }
    return {};
}

Result<> Blkback::publish(const xenbus::Endpoint& device, StoreTx tx) {
    const StorageInfo info = storage_->info();
    const unsigned flags = (info.read_only || cdrom_ ? VDISK_READONLY : 0u) | (removable_ ? VDISK_REMOVABLE : 0u) |
                           (cdrom_ || said_cdrom_ ? VDISK_CDROM : 0u);
    return write_numbers(device, tx,
                         {{"sectors", news_->units / wire_units(options_.units, info.sector_bytes).size},
                          {"sector-size", info.sector_bytes},
                          {"physical-sector-size", info.physical_sector_bytes},
                          {"info", flags}});
}

void Blkback::watch_storage() {
    on_resize_ = std::make_shared<const std::function<void()>>([news = news_, link = link_] {
        news->resized = true;
        link.poke();
    });
    storage_->watch_size(on_resize_);
    news_->units = storage_->info().bytes / kUnit;
}

Result<bool> Blkback::refresh(const xenbus::Endpoint& device) {
    bool news = false;
    if (cdrom_ && news_->medium.exchange(false)) {
        const auto changed = change_medium(device);
        if (!changed) return changed;
        news = *changed;
    }
    if (news_->resized.exchange(false)) {
        const std::uint64_t units = storage_->info().bytes / kUnit;
        news = news_->units.exchange(units) != units || news;
    }
    return news;
}

Offer Blkback::offer() const {
    return {.flush = options_.flush,
            .barrier = options_.barrier,
            .discard = options_.discard && may_discard_ && storage_->info().discard_granularity != 0,
            .indirect_segments = options_.indirect_segments};
}

Extent Blkback::extent() const {
    const StorageInfo info = storage_->info();
    return {.units = news_->units,
            .units_per_sector = static_cast<std::uint32_t>(info.sector_bytes / kUnit),
            .read_only = info.read_only || cdrom_};
}

void Blkback::disconnect() {
    // All of them, before any lets go of what another's requests may need.
    for (const auto& ring : rings_) ring->drain();
    rings_.clear();
}

void Blkback::close() {
    disconnect();
    on_resize_.reset();
    medium_watches_.clear();
    if (!storage_) return;
    if (!xenbus::alive()) return storage_.reset();

    struct Flushed {
        IrqLock lock{"blkback.flushed"};
        WaitQueue done{"the last flush of a disk"};
        bool over = false;
    };
    const auto flushed = std::make_shared<Flushed>();
    const auto op = std::make_shared<StorageOp>();
    op->kind = StorageOp::Kind::flush;
    op->done = [flushed](const StorageOpPtr&) {
        {
            const std::lock_guard held(flushed->lock);
            flushed->over = true;
        }
        flushed->done.wake_all();
    };
    storage_->submit(op);
    xenbus::wait_while_alive(flushed->lock, flushed->done, [&] { return flushed->over; });
    storage_.reset();
}

void Blkback::suspend() {
    for (const auto& ring : rings_) ring->service().pause();
}

void Blkback::cancel_suspend() {
    for (const auto& ring : rings_) {
        ring->service().unpause();
        ring->service().poke();
    }
}

xenbus::BackendFactory blkback_factory(Platform& platform, StorageFactory storage, BlkbackOptions options) {
    return [&platform, storage = std::move(storage), options](const std::string& path, xenbus::DeviceLink link) {
        return std::make_shared<Blkback>(platform, path, std::move(link), storage, options);
    };
}

}  // namespace xenrig::blk
