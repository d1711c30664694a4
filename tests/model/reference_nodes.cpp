// Nodes as a request sees them, in its transaction or live, and who may do what with them.
#include "tests/model/reference.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "tests/model/reference_text.h"

namespace xenrig::model {

Reference::Node* Reference::look(const std::string& path) {
    if (inside_ == nullptr) {
        const auto found = nodes_.find(path);
        return found == nodes_.end() ? nullptr : &found->second;
    }
    if (!inside_->copies.contains(path)) {
        Copy copy;
        if (const auto found = nodes_.find(path); found != nodes_.end()) copy.node = copy.base = found->second;
        inside_->copies[path] = copy;
        inside_->order.push_back(path);
    }
    auto& node = inside_->copies[path].node;
    return node ? &*node : nullptr;
}

/// For a change: the next generation, and permissions of domains that are gone go.
Reference::Node& Reference::touch(const std::string& path) {
    Node& node = *look(path);
    node.perms = current(node.perms, node.generation);
    node.generation = ++generation_;
    if (inside_ != nullptr) inside_->copies[path].modified = true;
    return node;
}

void Reference::put(const std::string& path, std::optional<Node> node) {
    if (inside_ != nullptr) {
        inside_->copies[path].node = std::move(node);
        inside_->copies[path].modified = true;
    } else if (node) {
        nodes_[path] = std::move(*node);
    } else {
        nodes_.erase(path);
    }
}

/// "" when the caller may do what is needed; else which error it sees: whoever may not look into the parent does not
/// learn whether the node is there.
Reference::Answer Reference::reach(const std::string& path, unsigned needed) {
    const Node* node = look(path);
    if (node != nullptr && (access(client_->name, node->perms, node->generation) & needed) == needed) return {};
    const char* error = node != nullptr ? "EACCES" : "ENOENT";
    std::string above = path;
    do {
        above = parent_of(above);
        if (const Node* parent = look(above))
            return (access(client_->name, parent->perms, parent->generation) & needed) != 0 ? fail(error)
                                                                                            : fail("EACCES");
    } while (above != "/");
    return fail("EACCES");
}

std::string Reference::absolute(const std::string& path) const {
    if (!path.empty() && (path.front() == '/' || path.front() == '@')) return path;
    return home_of(id_of(client_->name)) + "/" + path;
}

bool Reference::is_path(const std::string& path, bool special) const {
    if (path.front() == '@' && !special) return false;
    for (const char c : path)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && std::string("-/_@").find(c) == std::string::npos)
            return false;
    if (path.find("//") != std::string::npos || (path.size() > 1 && path.back() == '/')) return false;
    // What is below a domain's home counts without it.
    std::size_t counted = path.size();
    const std::string homes = "/local/domain/";
    if (path.starts_with(homes)) {
        const auto slash = path.find('/', homes.size());
        const std::string number = path.substr(homes.size(), slash - homes.size());
        const bool digits =
            !number.empty() && number.size() <= 5 && number.find_first_not_of("0123456789") == std::string::npos;
        if (slash != std::string::npos && digits) counted = path.size() - slash - 1;
    }
    return !reaches_limit("path-max", counted);
}

/// Whether a guest may not write a node of this size; then it can't commit its transaction either.
bool Reference::too_large(std::size_t size) {
    if (!reaches_limit("node-size", size)) return false;
    ++generation_;
    if (inside_ != nullptr) inside_->failed = true;
    return true;
}

void Reference::count_nodes(std::uint32_t owner, int change) {
    if (inside_ != nullptr)
        inside_->nodes[owner] += change;
    else
        (void)existing(owner);
}

std::uint32_t Reference::owned_by(std::uint16_t id) const {
    std::uint32_t n = 0;
    for (const auto& [path, node] : nodes_) n += node.perms.front().domain == id ? 1 : 0;
    return n;
}

void Reference::post_order(const std::string& path, std::vector<std::string>& paths) const {
    for (const std::string& child : nodes_.at(path).children) post_order(below(path, child), paths);
    paths.push_back(path);
}

void Reference::erase_live(const std::string& top) {
    std::vector<std::string> paths;
    post_order(top, paths);
    // All is still there when the events ask who may hear.
    for (const std::string& path : paths) {
        generation_ += path == top ? 1 : 2;
        fire(path, path == top ? Match::subtree : Match::exact, nullptr, &nodes_.at(path), &nodes_.at(parent_of(path)));
    }
    for (const std::string& path : paths) nodes_.erase(path);
    Transaction* const inside = std::exchange(inside_, nullptr);
    erase_first(touch(parent_of(top)).children, name_in(top));
    inside_ = inside;
}

bool Reference::reaches_limit(const char* quota, std::size_t value) const {
    if (!is_ring(client_->name)) return false;
    const std::uint32_t limit = domains_.at(id_of(client_->name)).limits.at(quota);
    return limit != 0 && value >= limit;
}

/// Whether the domain is still the one that was meant when the node was written.
bool Reference::means(const Perm& perm, std::uint64_t generation) const {
    if (perm.domain == kAnyDomain) return true;
    if (perm.domain > UINT16_MAX) return false;
    const auto domain = domains_.find(static_cast<std::uint16_t>(perm.domain));
    return domain != domains_.end() && !domain->second.gone && domain->second.since <= generation;
}

Reference::Perms Reference::current(const Perms& perms, std::uint64_t generation) const {
    Perms kept{perms.front()};
    for (std::size_t i = 1; i < perms.size(); ++i)
        if (perms[i].ignored || means(perms[i], generation)) kept.push_back(perms[i]);
    return kept;
}

unsigned Reference::access(const std::string& connection, const Perms& perms, std::uint64_t generation) const {
    if (!is_ring(connection)) return kRead | kWrite | kOwner;
    const std::uint16_t id = domain_of(connection);
    const auto& target = domains_.at(id).target;
    const auto is_caller = [&](const Perm& perm) {
        return perm.domain == id || perm.domain == kAnyDomain || (target && perm.domain == *target);
    };
    const auto rights = [](const Perm& perm) {
        return (perm.letter == 'r' || perm.letter == 'b' ? kRead : 0U) |
               (perm.letter == 'w' || perm.letter == 'b' ? kWrite : 0U);
    };
    if (is_caller(perms.front())) return kRead | kWrite | kOwner;
    for (std::size_t i = 1; i < perms.size(); ++i)
        if (!perms[i].ignored && is_caller(perms[i]) && means(perms[i], generation)) return rights(perms[i]);
    return rights(perms.front());
}

}  // namespace xenrig::model
