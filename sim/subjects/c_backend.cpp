#include "c_backend.h"

#include "xenrig/xenbus/endpoint.h"

namespace xenrig::subjects {

namespace {

constexpr const char* kDevices = "backend/vbd";

}  // namespace

struct CBackend::Device {
    const xenrig_blkback& calls;
    xenbus::Peer peer;
    void* self;
    ~Device() { calls.destroy(self); }
};

CBackend::CBackend(Platform& platform, blk::StorageFactory storage, const xenrig_blkback& calls,
                   std::shared_ptr<void> library)
    : library_(std::move(library)),
      calls_(calls),
      platform_(platform),
      disks_(std::move(storage)),
      binding_(platform),
      service_(platform, "subject's bus", [this] { look(); }) {}

CBackend::~CBackend() {
    watch_.reset();
    service_.stop();
    devices_.clear();
}

Result<> CBackend::start() {
    auto watch = platform_.store().watch(kDevices, [poke = service_.poker()](const std::string&) { poke(); });
    if (!watch) return std::unexpected(watch.error());
    watch_ = std::move(*watch);
    service_.poke();
    return {};
}

void CBackend::look() {
    Store& store = platform_.store();
    std::map<std::string, xenbus::Peer> there;
    const auto domains = store.directory(StoreTx::none, kDevices);
    if (!domains && domains.error().code != Errno::noent) return;
    for (const std::string& domain : domains.value_or(std::vector<std::string>{})) {
        const std::string folder = kDevices + ('/' + domain);
        const auto numbers = store.directory(StoreTx::none, folder);
        if (!numbers) continue;
        for (const std::string& number : *numbers) {
            const std::string path = folder + '/' + number;
            if (const auto peer = xenbus::read_peer(store, xenbus::Side::backend, path)) there.emplace(path, *peer);
        }
    }
    for (auto device = devices_.begin(); device != devices_.end();) {
        const auto found = there.find(device->first);
        if (found != there.end() && found->second == device->second->peer) {
            ++device;
            continue;
        }
        calls_.stop(device->second->self);
        device = devices_.erase(device);
    }
    for (const auto& [path, peer] : there) {
        if (devices_.contains(path)) continue;
        void* const made = calls_.create(binding_.get(), path.c_str(), &disks_);
        if (!made) continue;
        devices_.emplace(path, std::make_unique<Device>(calls_, peer, made));
        // It says so itself, in its state and its error node.
        (void)calls_.start(made);
    }
}

}  // namespace xenrig::subjects
