// WATCH and UNWATCH, and who hears of what: a guest only of nodes that it may read, or whose parent it may read.
#include "sim/xenstore/path.h"
#include "sim/xenstore/store.h"

namespace xenrig::xenstore {
namespace {

/// How long a guest may leave an event unread.
constexpr Nanoseconds kEventLife{20'000'000'000};

}  // namespace

Answer<const Watch*> Store::watch(Connection& connection, std::string_view path, std::string_view token, int depth) {
    const bool relative = path.empty() || (path.front() != '/' && path.front() != '@');
    const auto name = canonical(connection, path, true);
    if (!name) return std::unexpected(name.error());
    if (const auto* same = watches_.at(*name))
        for (const Watch* other : *same)
            if (other->owner == &connection && other->token == token) return std::unexpected(Errno::exist);
    const std::size_t size = name->size() + token.size();
    if (Domain* domain = connection.domain()) {
        if (domain->exceeds(Quota::watches, domain->usage[Quota::watches] + std::uint64_t{1}))
            return std::unexpected(Errno::nospc);
        if (domain->exceeds(Quota::memory, domain->usage[Quota::memory] + size)) return std::unexpected(Errno::nomem);
    }
    return &add_watch(connection, *name, token, relative ? connection.home().size() + 1 : 0, depth);
}

Watch& Store::add_watch(Connection& connection, std::string_view path, std::string_view token, std::size_t prefix,
                        int depth) {
    const std::uint64_t order = ++watch_orders_;
    Watch& watch = connection.watches[order];
    watch.owner = &connection;
    watch.order = order;
    watch.path = path;
    watch.token = token;
    watch.prefix = prefix;
    watch.depth = depth;
    if (Domain* domain = connection.domain()) {
        domain->usage.add(Quota::memory, static_cast<std::int64_t>(path.size() + token.size()));
        domain->usage.add(Quota::watches, 1);
    }
    watches_.add(watch);
    if (!connection.privileged()) ++guest_watches_;
    return watch;
}

void Store::forget_watch(Watch& watch) {
    Connection& connection = *watch.owner;
    if (Domain* domain = connection.domain()) {
        domain->usage.add(Quota::memory, -static_cast<std::int64_t>(watch.path.size() + watch.token.size()));
        domain->usage.add(Quota::watches, -1);
    }
    if (!connection.privileged()) --guest_watches_;
    watches_.remove(watch);
}

Answer<> Store::unwatch(Connection& connection, std::string_view path, std::string_view token) {
    const auto name = canonical(connection, path, true);
    if (!name) return std::unexpected(name.error());
    if (const auto* same = watches_.at(*name)) {
        for (Watch* watch : *same) {
            if (watch->owner != &connection || watch->token != token) continue;
            remove_watch(*watch);
            return {};
        }
    }
    return std::unexpected(Errno::noent);
}

void Store::remove_watch(Watch& watch) {
    forget_watch(watch);
    watch.owner->watches.erase(watch.order);
}

void Store::drop_watches(Connection& connection) {
    for (auto& [order, watch] : connection.watches) forget_watch(watch);
    connection.watches.clear();
}

bool Store::may_hear(const Connection& watcher, const Perms* old_perms, const Seen& seen) const {
    if (old_perms != nullptr && (access(watcher, *old_perms, generation_) & kRead) != 0) return true;
    if (seen.node == nullptr) return false;
    if ((access(watcher, *seen.node) & kRead) != 0) return true;
    return seen.parent != nullptr && (access(watcher, *seen.parent) & kRead) != 0;
}

void Store::fire(const std::shared_ptr<Request>& cause, std::string_view path, Match match, const Perms* old_perms,
                 const Seen& seen) {
    const Connection* asked = nullptr;
    bool hears = false;
    for (Watch* watch : watches_.matching(path, match)) {
        Connection& watcher = *watch->owner;
        if (asked != &watcher) hears = may_hear(watcher, old_perms, seen);
        asked = &watcher;
        if (!hears) continue;
        const Nanoseconds deadline = watcher.privileged() ? Nanoseconds{} : environment_.now() + kEventLife;
        watcher.event(path.substr(watch->prefix), watch->token, cause, deadline);
    }
}

void Store::changed(Caller caller, std::string_view path, const Perms* old_perms) {
    if (caller.transaction != nullptr)
        caller.transaction->queue_event(path, Match::subtree);
    else if (!watches_.matching(path, Match::subtree).empty())
        fire(caller.connection.current, path, Match::subtree, old_perms,
             {tree_.find(path), tree_.find(parent_of(path))});
}

void Store::special_event(std::string_view name, DomId domain, bool plain, bool numbered) {
    const Seen seen{tree_.find(name), &tree_.root()};
    if (plain) fire(nullptr, name, Match::no_depth, nullptr, seen);
    if (numbered) fire(nullptr, std::string(name) + "/" + std::to_string(domain.value), Match::depth, nullptr, seen);
}

}  // namespace xenrig::xenstore
