#include "xenrig/drivers/blk/blkback.h"

#include "blkback_ring.h"
#include "xenrig/xenbus/nodes.h"

#include <xen/io/protocols.h>

namespace xenrig::blk {

Blkback::Blkback(Platform& platform, std::string path, xenbus::DeviceLink link, StorageFactory storage)
    : platform_(platform), path_(std::move(path)), link_(std::move(link)), open_storage_(std::move(storage)) {}

Blkback::~Blkback() = default;

Result<> Blkback::open(const xenbus::Endpoint& device) {
    if (storage_) return {};
    auto mode = device.store().read(StoreTx::none, device.node("mode"));
    if (!mode) return fail(mode.error().code, "reading " + device.node("mode"));
    StorageRequest wanted{.read_only = !mode->starts_with('w')};
    wanted.params = device.store().read(StoreTx::none, device.node("params")).value_or("");
    wanted.type = device.store().read(StoreTx::none, device.node("type")).value_or("");

    auto storage = open_storage_(wanted);
    if (!storage) return std::unexpected(storage.error());
    storage_ = std::move(*storage);
    return {};
}

Result<> Blkback::advertise(const xenbus::Endpoint& device, StoreTx tx) {
    return device.store().write(tx, device.node("feature-flush-cache"), "1");
}

Result<> Blkback::connect(const xenbus::Endpoint& device) {
    if (auto opened = open(device); !opened) return opened;
    Store& store = device.store();
    const auto ref = xenbus::read_number<std::uint32_t>(store, device.peer_node("ring-ref"));
    if (!ref) return std::unexpected(ref.error());
    const auto port = xenbus::read_number<std::uint32_t>(store, device.peer_node("event-channel"));
    if (!port) return std::unexpected(port.error());
    const auto protocol = store.read(StoreTx::none, device.peer_node("protocol"));
    if (protocol && *protocol != XEN_IO_PROTO_ABI_NATIVE)
        return fail(Errno::inval, "the frontend's protocol '" + *protocol + "' is not " XEN_IO_PROTO_ABI_NATIVE);

    auto ring = BlkbackRing::connect(platform_, path_, {device.peer().domain, {GrantRef(*ref)}, Port(*port)}, storage_,
                                     extent(), link_);
    if (!ring) return std::unexpected(ring.error());
    ring_ = std::move(*ring);
    return {};
}

Result<> Blkback::publish(const xenbus::Endpoint& device, StoreTx tx) {
    const StorageInfo info = storage_->info();
    const std::pair<const char*, std::uint64_t> nodes[] = {
        {"sectors", info.bytes / kUnit},
        {"sector-size", info.sector_bytes},
        {"physical-sector-size", info.physical_sector_bytes},
        {"info", info.read_only ? VDISK_READONLY : 0},
    };
    for (const auto& [name, value] : nodes)
        if (auto written = device.store().write(tx, device.node(name), std::to_string(value)); !written) return written;
    return {};
}

Extent Blkback::extent() const {
    const StorageInfo info = storage_->info();
    return {.units = info.bytes / kUnit,
            .units_per_sector = static_cast<std::uint32_t>(info.sector_bytes / kUnit),
            .read_only = info.read_only};
}

void Blkback::disconnect() {
    if (!ring_) return;
    ring_->drain();
    ring_.reset();
}

void Blkback::close() {
    disconnect();
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
    if (ring_) ring_->service().pause();
}

void Blkback::cancel_suspend() {
    if (!ring_) return;
    ring_->service().unpause();
    ring_->service().poke();
}

xenbus::BackendFactory blkback_factory(Platform& platform, StorageFactory storage) {
    return [&platform, storage = std::move(storage)](const std::string& path, xenbus::DeviceLink link) {
        return std::make_shared<Blkback>(platform, path, std::move(link), storage);
    };
}

}  // namespace xenrig::blk
