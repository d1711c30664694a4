// A drive whose medium changes while it is connected.
//
// Toolstacks say so in two ways, and both count: libxl writes another `params`, empty for no medium
// (libxl_cdrom_insert); older ones write `media-present` 0 and, with the next medium in, 1 (the blkback of Xen's own
// Linux 2.6.18).
#include "blkback_news.h"
#include "blkback_ring.h"
#include "no_medium.h"
#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/xenbus/nodes.h"

namespace xenrig::blk {

Result<> Blkback::watch_medium(const xenbus::Endpoint& device) {
    if (!medium_watches_.empty()) return {};
    for (const char* node : {"params", "media-present"}) {
        auto watch = device.store().watch(device.node(node), [news = news_, link = link_](const std::string&) {
            news->medium = true;
            link.poke();
        });
        if (!watch) return fail(watch.error().code, "watching " + device.node(node));
        medium_watches_.push_back(std::move(*watch));
    }
    return {};
}

/// Empty when there is none.
std::string Blkback::medium_named(const xenbus::Endpoint& device) const {
    if (xenbus::read_number_or(device.store(), device.node("media-present"), 1u) == 0) return {};
    return device.store().read(StoreTx::none, device.node("params")).value_or("");
}

Result<std::shared_ptr<Storage>> Blkback::no_medium() { return std::make_shared<NoMedium>(); }

Result<> Blkback::insert(const xenbus::Endpoint& device, const std::string& params) {
    medium_ = params;
    storage_ = *no_medium();
    if (params.empty()) return {};
    StorageRequest wanted{.params = params, .read_only = true};
    wanted.type = device.store().read(StoreTx::none, device.node("type")).value_or("");
    auto opened = open_storage_(wanted);
    if (!opened) return std::unexpected(opened.error());
    storage_ = std::move(*opened);
    return {};
}

/// True when there is another medium than before, or none. One that can't be read leaves the drive empty and says why.
Result<bool> Blkback::change_medium(const xenbus::Endpoint& device) {
    const std::string now = medium_named(device);
    if (now == medium_) return false;
    if (const auto inserted = insert(device, now); !inserted) device.write_error(inserted.error());
    watch_storage();
    for (const auto& ring : rings_) ring->change_storage(storage_, extent());
    return true;
}

}  // namespace xenrig::blk
