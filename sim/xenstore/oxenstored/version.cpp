#include "sim/xenstore/oxenstored/version.h"

#include <algorithm>
#include <vector>

#include "sim/xenstore/path.h"

namespace xenrig::xenstore::oxen {
namespace {

const Node& deepest(const Tree& tree, std::string_view path) {
    const Node* node = nullptr;
    while ((node = tree.find(path)) == nullptr) path = parent_of(path);
    return *node;
}

}  // namespace

bool Identity::may(std::uint8_t access, const Perms& perms) const {
    if (dom0() || is(perms->owner())) return true;
    const auto granted = [&](std::uint32_t id) {
        const auto entries = perms->entries();
        for (const Perm& entry : entries.subspan(1))
            if (entry.domain == id) return (entry.access & access) == access;
        return (entries.front().access & access) == access;
    };
    return granted(domain) || (target && granted(*target));
}

Outcome<const Node*> Version::reach(const Identity& who, std::string_view path, std::uint8_t access) const {
    const Node* node = tree.find(path);
    if (node == nullptr) return refuse("ENOENT");
    if (!who.may(access, node->perms)) return refuse("EACCES");
    return node;
}

Outcome<std::string_view> Version::read(const Identity& who, std::string_view path) const {
    const auto node = reach(who, path, kRead);
    if (!node) return refuse(node.error());
    return (*node)->value();
}

Outcome<std::string> Version::directory(const Identity& who, std::string_view path) const {
    const auto node = reach(who, path, kRead);
    if (!node) return refuse(node.error());
    std::vector<std::string_view> names;
    names.reserve((*node)->children.count());
    (*node)->children.for_each([&](const Node& child) {
        names.push_back(child.name());
        return true;
    });
    std::ranges::sort(names);
    std::string text;
    text.reserve((*node)->children.bytes());
    for (const std::string_view name : names) text.append(shown(name)).push_back('\0');
    return text;
}

Outcome<Perms> Version::perms(const Identity& who, std::string_view path) const {
    const auto node = reach(who, path, kRead);
    if (!node) return refuse(node.error());
    return (*node)->perms;
}

void Version::count(std::uint32_t owner, int change) {
    const auto at = counts.try_emplace(owner, 0).first;
    at->second += change;
    if (at->second == 0) counts.erase(at);
}

void Version::count_out(const Node& node) {
    std::vector<const Node*> waiting{&node};
    while (!waiting.empty()) {
        const Node& next = *waiting.back();
        waiting.pop_back();
        count(next.perms->owner(), -1);
        next.children.for_each([&](const Node& child) {
            waiting.push_back(&child);
            return true;
        });
    }
}

Outcome<> Version::check_room(const Identity& who, const Node& parent) const {
    const std::uint32_t owner = parent.perms->owner();
    if (who.dom0() || static_cast<std::int32_t>(owner) <= 0) return {};
    const auto have = counts.find(owner);
    if (have != counts.end() && have->second >= kLimits.nodes) return refuse("EQUOTA");
    return {};
}

Outcome<> Version::write(const Identity& who, std::string_view path, std::string_view value) {
    if (value.size() > kLimits.value) return refuse("E2BIG");
    const Node* node = tree.find(path);
    if (node != nullptr) {
        if (!who.may(kWrite, node->perms)) return refuse("EACCES");
        // A node that gets the value that it has stays the same node, which matters to a transaction that has read it.
        if (node->value() != value)
            Node::set_value(tree.edit(path), value);
        else if (path != "/")
            tree.edit(parent_of(path));
        return {};
    }
    const Node& above = deepest(tree, parent_of(path));
    if (const auto room = check_room(who, above); !room) return room;
    const Node* parent = tree.find(parent_of(path));
    if (parent == nullptr) return refuse("ENOENT");
    if (!who.may(kWrite, parent->perms)) return refuse("EACCES");
    const Perms perms = parent->perms;
    tree.create(parent_of(path), base_name(path), value, perms);
    count(perms->owner(), 1);
    return {};
}

Outcome<> Version::mkdir(const Identity& who, std::string_view path) {
    if (path == "/") return {};
    if (const Node* node = tree.find(path)) {
        if (!who.may(kWrite, node->perms)) return refuse("EACCES");
        return refuse("EEXIST");
    }
    return write(who, path, {});
}

Outcome<bool> Version::rm(const Identity& who, std::string_view path) {
    const Node* node = tree.find(path);
    if (node == nullptr) {
        if (tree.find(parent_of(path)) == nullptr) return refuse("ENOENT");
        return false;
    }
    if (!who.may(kWrite, node->perms)) return refuse("EACCES");
    count_out(*node);
    if (path == "/")
        tree.edit("/")->children = Directory();
    else
        tree.erase(path);
    return true;
}

Outcome<> Version::set_perms(const Identity& who, std::string_view path, const Perms& perms) {
    const Node* node = tree.find(path);
    if (node == nullptr) return refuse("ENOENT");
    const std::uint32_t old_owner = node->perms->owner();
    if (old_owner != perms->owner() && !who.dom0()) return refuse("EACCES");
    const bool owns = who.dom0() || who.is(old_owner) || path == "/";
    if (!owns || !who.may(kWrite, node->perms)) return refuse("EACCES");
    tree.edit(path)->perms = perms;
    count(old_owner, -1);
    count(perms->owner(), 1);
    return {};
}

void Version::forget_entries(const Node& node, std::string_view path, std::uint32_t domain) {
    const auto entries = node.perms->entries();
    const auto names_it = [&](const Perm& entry) { return entry.domain == domain; };
    if (std::none_of(entries.begin() + 1, entries.end(), names_it)) return;
    std::vector<Perm> kept(entries.begin(), entries.end());
    kept.erase(std::remove_if(kept.begin() + 1, kept.end(), names_it), kept.end());
    tree.edit(path)->perms = make_perms(std::move(kept));
}

void Version::forget_below(const Node& node, const std::string& path, std::uint32_t domain) {
    for (const Node* child : children_of(node)) {
        const std::string at = join(path, child->name());
        if (child->perms->owner() == domain) {
            count_out(*child);
            tree.erase(at);
            continue;
        }
        forget_entries(*child, at, domain);
        forget_below(*child, at, domain);
    }
}

void Version::forget_domain(std::uint32_t domain) {
    // What is walked over is a snapshot, which stays as it is.
    const Tree before = tree;
    const Node& root = before.root();
    if (root.perms->owner() == domain) {
        std::vector<Perm> nobodys(root.perms->entries().begin(), root.perms->entries().end());
        nobodys.front().domain = kNobody;
        tree.edit("/")->perms = make_perms(std::move(nobodys));
    } else {
        forget_entries(root, "/", domain);
    }
    forget_below(root, "/", domain);
    counts.erase(domain);
}

}  // namespace xenrig::xenstore::oxen
