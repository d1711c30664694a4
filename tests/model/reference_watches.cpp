// Watches, and the events that they are told of.
#include "tests/model/reference.h"

#include <algorithm>
#include <cstdint>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

#include "tests/model/reference_text.h"

namespace xenrig::model {

Reference::Answer Reference::watch(const std::vector<std::string>& strings) {
    const bool guest = is_ring(client_->name);
    const bool depths = !guest || (domains_.at(id_of(client_->name)).features & kFeatureWatchDepth) != 0;
    int depth = -1;
    if (strings.size() == 3 && depths) {
        depth = static_cast<int>(number_in(strings[2]));
        if (depth < 0) return fail("EINVAL");
    } else if (strings.size() != 2) {
        return fail("EINVAL");
    }
    const std::string path = absolute(strings[0]);
    if (!is_path(path, true)) return fail("EINVAL");
    std::size_t own = 0;
    for (const Watch& w : watches_) {
        if (w.connection != client_->name) continue;
        ++own;
        if (w.path == path && w.token == strings[1]) return fail("EEXIST");
    }
    if (reaches_limit("watches", own + 1)) return fail("ENOSPC");
    watches_.push_back({client_->name, path, strings[1], strings[0], depth});
    return ok();
}

Reference::Answer Reference::unwatch(const std::vector<std::string>& strings) {
    if (strings.size() != 2) return fail("EINVAL");
    const std::string path = absolute(strings[0]);
    if (!is_path(path, true)) return fail("EINVAL");
    const auto gone = std::erase_if(watches_, [&](const Watch& w) {
        return w.connection == client_->name && w.path == path && w.token == strings[1];
    });
    return gone != 0 ? ok() : fail("ENOENT");
}

void Reference::changed(const std::string& path, const Perms* old_perms) {
    if (inside_ != nullptr)
        inside_->copies[path].event = true;
    else
        fire(path, Match::subtree, old_perms, &nodes_.at(path), &nodes_.at(parent_of(path)));
}

void Reference::fire(const std::string& path, Match match, const Perms* old_perms, const Node* node,
                     const Node* parent) {
    const auto may_hear = [&](const std::string& connection) {
        if (old_perms != nullptr && (access(connection, *old_perms, generation_) & kRead) != 0) return true;
        if (node == nullptr) return false;
        if ((access(connection, node->perms, node->generation) & kRead) != 0) return true;
        return parent != nullptr && (access(connection, parent->perms, parent->generation) & kRead) != 0;
    };
    for (const Client& client : clients_) {
        for (const Watch& watch : watches_) {
            if (watch.connection != client.name) continue;
            const int levels = levels_below(watch.path, path);
            bool wanted = levels == 0;
            if (match == Match::subtree) wanted = levels >= 0 && (watch.depth < 0 || levels <= watch.depth);
            if (match == Match::plain_special) wanted = levels == 0 && watch.depth < 0;
            if (match == Match::numbered_special) wanted = levels == 0 || (levels > 0 && levels <= watch.depth);
            if (!wanted || !may_hear(client.name)) continue;
            const bool relative = watch.shown.empty() || (watch.shown.front() != '/' && watch.shown.front() != '@');
            const std::string shown = relative ? path.substr(home_of(id_of(client.name)).size() + 1) : path;
            hear(client.name, XS_WATCH_EVENT, with_nul(shown) + with_nul(watch.token));
        }
    }
}

void Reference::special(const char* name, std::uint16_t domain, bool plain, bool numbered) {
    const Node* node = &nodes_.at(name);
    const Node* root = &nodes_.at("/");
    if (plain) fire(name, Match::plain_special, nullptr, node, root);
    if (numbered) fire(std::string(name) + "/" + std::to_string(domain), Match::numbered_special, nullptr, node, root);
}

void Reference::hear(const std::string& connection, std::uint32_t type, const std::string& payload) {
    auto& heard = heard_[connection];
    const Message message{type, payload, false};
    if (type == XS_WATCH_EVENT) {
        if (payload.size() > XENSTORE_PAYLOAD_MAX) return;
        // An equal event that still waits is as good as two; special ones tell how often.
        if (merges_ && payload.front() != '@' && std::find(heard.begin(), heard.end(), message) != heard.end()) return;
    }
    heard.push_back(message);
}

}  // namespace xenrig::model
