#include "xenrig/xenbus/bus.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace xenrig::xenbus {

namespace {

/// The names below `path`: none when it isn't there, an error when the store can't say.
Result<std::vector<std::string>> children(Store& store, const std::string& path) {
    auto names = store.directory(StoreTx::none, path);
    if (!names && names.error().code == Errno::noent) return std::vector<std::string>{};
    return names;
}

/// Appends "<root>/<child>" for each child of `root`.
Result<> append_children(Store& store, const std::string& root, std::vector<std::string>& paths) {
    auto names = children(store, root);
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) paths.push_back(root + '/' + name);
    return {};
}

/// Does an event at `path` tell of devices that come, go or change their peer? Other nodes inside a device's directory
/// are the device's own business. `depth` is the number of names in a device's path.
bool concerns_the_bus(std::string_view path, std::size_t depth) {
    const auto slashes = static_cast<std::size_t>(std::ranges::count(path, '/'));
    if (slashes < depth) return true;
    const std::string_view node = path.substr(path.rfind('/') + 1);
    return slashes == depth &&
           (node == "backend" || node == "backend-id" || node == "frontend" || node == "frontend-id");
}

}  // namespace

struct Bus::Slot {
    Slot(Platform& platform, Side side, const std::string& path, Peer its_peer)
        : peer(std::move(its_peer)), device(platform, side, path) {}

    /// What the device's directory named when the device was made; none after a migration, when whoever stands there
    /// now is right.
    std::optional<Peer> peer;
    std::shared_ptr<void> driver;
    Device device;
};

Bus::Bus(Platform& platform, std::map<std::string, FrontendFactory> frontends)
    : platform_(platform),
      side_(Side::frontend),
      frontends_(std::move(frontends)),
      service_(platform, "xenbus frontends", [this] { scan(); }) {}

Bus::Bus(Platform& platform, std::map<std::string, BackendFactory> backends)
    : platform_(platform),
      side_(Side::backend),
      backends_(std::move(backends)),
      service_(platform, "xenbus backends", [this] { scan(); }) {}

Bus::~Bus() {
    const DeferUnwinding defer;
    stop();
}

Result<> Bus::start() {
    std::vector<std::string> roots;
    if (side_ == Side::frontend) roots.emplace_back("device");
    for (const auto& [type, factory] : backends_) roots.push_back("backend/" + type);

    // device/vbd/51712, backend/vbd/1/51712
    const std::size_t depth = side_ == Side::frontend ? 3 : 4;
    for (const auto& root : roots) {
        auto watch = platform_.store().watch(root, [poke = service_.poker(), depth](const std::string& path) {
            if (concerns_the_bus(path, depth)) poke();
        });
        if (!watch) return fail(watch.error().code, "watching " + root);
        watches_.push_back(std::move(*watch));
    }
    return {};
}

Result<std::vector<std::string>> Bus::list() const {
    Store& store = platform_.store();
    std::vector<std::string> found;
    for (const auto& [type, factory] : frontends_)
        if (auto listed = append_children(store, "device/" + type, found); !listed)
            return std::unexpected(listed.error());
    for (const auto& [type, factory] : backends_) {
        std::vector<std::string> domains;
        if (auto listed = append_children(store, "backend/" + type, domains); !listed)
            return std::unexpected(listed.error());
        for (const auto& domain : domains)
            if (auto listed = append_children(store, domain, found); !listed) return std::unexpected(listed.error());
    }
    return found;
}

void Bus::scan() {
    const auto paths = list();
    // A store that can't answer now says nothing about devices.
    if (!paths) return;

    std::map<std::string, Peer> present;
    for (const auto& path : *paths)
        if (auto peer = read_peer(platform_.store(), side_, path)) present.emplace(path, std::move(*peer));

    for (auto it = devices_.begin(); it != devices_.end();) {
        Slot& slot = *it->second;
        const auto now = present.find(it->first);
        if (now != present.end() && !slot.peer) slot.peer = now->second;
        if (now != present.end() && slot.peer == now->second && !slot.device.over()) {
            ++it;
            continue;
        }
        slot.device.stop();
        it = devices_.erase(it);
    }
    for (auto& [path, peer] : present)
        if (!devices_.contains(path)) add(path, std::move(peer));
}

void Bus::add(const std::string& path, Peer peer) {
    const std::size_t from = path.find('/') + 1;
    const std::string type = path.substr(from, path.find('/', from) - from);

    auto slot = std::make_unique<Slot>(platform_, side_, path, peer);
    Device& device = slot->device;
    if (side_ == Side::frontend) {
        auto driver = frontends_.at(type)(path, device.link());
        device.start(std::make_unique<Frontend>(device.endpoint(), *driver), std::move(peer), service_.poker());
        slot->driver = std::move(driver);
    } else {
        auto driver = backends_.at(type)(path, device.link());
        device.start(std::make_unique<Backend>(device.endpoint(), *driver), std::move(peer), service_.poker());
        slot->driver = std::move(driver);
    }
    devices_.emplace(path, std::move(slot));
}

void Bus::suspend() {
    service_.pause();
    for (auto& [path, slot] : devices_) slot->device.suspend();
}

void Bus::cancel_suspend() {
    for (auto& [path, slot] : devices_) slot->device.cancel_suspend();
    service_.unpause();
    service_.poke();
}

void Bus::resume() {
    for (auto& [path, slot] : devices_) {
        slot->peer.reset();
        slot->device.resume();
    }
    service_.unpause();
    service_.poke();
}

void Bus::stop() {
    watches_.clear();
    service_.stop();
    for (auto& [path, slot] : devices_) slot->device.stop();
    devices_.clear();
}

}  // namespace xenrig::xenbus
