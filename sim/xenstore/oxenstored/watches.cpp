// Who hears of what from oxenstored: watches from the root down and the newest first, and after a removal those below
// the node in the order of the alphabet, each with its own path. A watcher must be allowed to read the node or its
// parent, and where neither is in the tree, nobody hears anything (connections.ml, connection.ml).
#include "sim/xenstore/oxenstored/service.h"
#include "sim/xenstore/path.h"

namespace xenrig::xenstore::oxen {
namespace {

/// How many messages wait for a client before those that cause more of them must wait.
constexpr std::size_t kQueueMax = 1024;

bool may_hear(const Identity& who, std::string_view path, const Tree& tree) {
    if (path == "/") return false;
    const Node* parent = tree.find(parent_of(path));
    if (parent == nullptr) return false;
    if (who.may(kRead, parent->perms)) return true;
    const Node* node = tree.find(path);
    return node != nullptr && who.may(kRead, node->perms);
}

}  // namespace

Outcome<const Watch*> Service::watch(Connection& connection, std::string_view path, std::string_view token) {
    if (path.empty()) return refuse("EINVAL");
    const bool relative = path.front() != '/' && path.front() != '@';
    const std::string name = relative ? join(connection.home(), path) : std::string(path);
    if (name.front() == '/' && !well_formed(name)) return refuse("EINVAL");
    if (!identity_of(connection).dom0() && connection.watches.size() >= kLimits.watches) return refuse("EQUOTA");
    for (const auto& [order, other] : connection.watches)
        if (other.path == name && other.token == token) return refuse("EEXIST");
    return &daemon_.store.add_watch(connection, name, token, relative ? connection.home().size() + 1 : 0, -1);
}

Outcome<> Service::unwatch(Connection& connection, std::string_view path, std::string_view token) {
    if (path.empty()) return refuse("EINVAL");
    const bool relative = path.front() != '/' && path.front() != '@';
    const std::string name = relative ? join(connection.home(), path) : std::string(path);
    for (auto& [order, watch] : connection.watches) {
        if (watch.path != name || watch.token != token) continue;
        daemon_.store.remove_watch(watch);
        return {};
    }
    return refuse("ENOENT");
}

bool Service::crowded(std::uint64_t id) const {
    const auto found = daemon_.connections.find(id);
    return found != daemon_.connections.end() && !found->second->broken && found->second->waiting() >= kQueueMax;
}

bool Service::may_ask(const Connection& connection) {
    if (crowded(connection.id())) return false;
    const auto held = held_up_by_.find(connection.id());
    if (held == held_up_by_.end()) return true;
    // All of them must have room again, or two that take turns would make the others' events pile up.
    std::erase_if(held->second, [this](std::uint64_t watcher) { return !crowded(watcher); });
    if (!held->second.empty()) return false;
    held_up_by_.erase(held);
    return true;
}

void Service::event(Connection* source, const Watch& watch, std::string_view path) {
    Connection& watcher = *watch.owner;
    if (watcher.broken) return;
    std::string payload(path.substr(watch.prefix));
    payload.append(1, '\0').append(watch.token).append(1, '\0');
    watcher.packet(XS_WATCH_EVENT, 0, 0, payload);
    if (source != nullptr && watcher.waiting() >= kQueueMax) held_up_by_[source->id()].insert(watcher.id());
}

bool Service::tell(Connection* source, const Work& work) {
    WatchIndex& watches = daemon_.store.watches();
    if (watches.empty()) return true;
    for (const Changed& changed : work.changes) {
        const Tree& tree = changed.what == Change::rm ? work.before : work.version.tree;
        const bool also_before = changed.what == Change::set_perms;
        const auto hears = [&](const Watch& watch, std::string_view path) {
            const Identity who = identity_of(*watch.owner);
            return may_hear(who, path, tree) || (also_before && may_hear(who, path, work.before));
        };
        const std::string path = shown(changed.path);
        const std::vector<Watch*> above = watches.down_to(changed.path);
        // A special path is no path any more once it has a slash in front.
        if (!above.empty() && !well_formed(path)) return false;
        for (const Watch* watch : above)
            if (hears(*watch, path)) event(source, *watch, path);
        if (changed.what != Change::rm) continue;
        for (const Watch* watch : watches.below(changed.path))
            if (hears(*watch, watch->path)) event(source, *watch, watch->path);
    }
    return true;
}

Outcome<> Service::tell_special(std::string_view name) {
    const std::string path = '/' + std::string(name);
    if (daemon_.store.tree().find(path) == nullptr) return refuse("ENOENT");
    for (auto& [id, connection] : daemon_.connections)
        for (auto watch = connection->watches.rbegin(); watch != connection->watches.rend(); ++watch)
            if (watch->second.path == name && may_hear(identity_of(*connection), path, daemon_.store.tree()))
                event(nullptr, watch->second, name);
    return {};
}

}  // namespace xenrig::xenstore::oxen
