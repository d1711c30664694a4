#include "tests/unit/xenstore/model.h"

#include <algorithm>

namespace xenrig::xenstore::test {
namespace {

std::string parent(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string below(const std::string& path, const std::string& child) {
    return path == "/" ? "/" + child : path + "/" + child;
}

bool covers(const std::string& watched, const std::string& path) {
    return watched == "/" || path == watched || path.starts_with(watched + "/");
}

}  // namespace

Model::Node* Model::look(const std::string& path) {
    if (inside_ == nullptr) {
        const auto found = nodes_.find(path);
        return found == nodes_.end() ? nullptr : &found->second;
    }
    if (!inside_->copies.contains(path)) {
        Copy copy;
        if (const auto found = nodes_.find(path); found != nodes_.end()) {
            copy.node = found->second;
            copy.base = found->second.version;
        }
        inside_->copies[path] = copy;
        inside_->order.push_back(path);
    }
    auto& node = inside_->copies[path].node;
    return node ? &*node : nullptr;
}

/// xenstored looks at the parents of what it does not find.
void Model::look_up(const std::string& path) {
    for (std::string at = path; look(at) == nullptr && at != "/";) at = parent(at);
}

Model::Node& Model::touch(const std::string& path) {
    Node& node = *look(path);
    node.version = ++versions_;
    if (inside_ != nullptr) inside_->copies[path].modified = true;
    return node;
}

void Model::put(const std::string& path, Node node) {
    if (inside_ == nullptr) {
        nodes_[path] = std::move(node);
        return;
    }
    inside_->copies[path].node = std::move(node);
    inside_->copies[path].modified = true;
}

void Model::drop(const std::string& path) {
    if (inside_ == nullptr) {
        nodes_.erase(path);
        return;
    }
    inside_->copies[path].node.reset();
    inside_->copies[path].modified = true;
}

void Model::tell(const std::string& path, bool subtree) {
    for (const Watch& watch : watches_) {
        if (subtree ? !covers(watch.path, path) : watch.path != path) continue;
        // An equal event that still waits is as good as two.
        auto& waiting = heard_[watch.client];
        const std::string event = "event " + path + " " + watch.token;
        if (std::find(waiting.begin(), waiting.end(), event) == waiting.end()) waiting.push_back(event);
    }
}

void Model::changed(const std::string& path, bool subtree) {
    if (inside_ == nullptr) return tell(path, subtree);
    Copy& copy = inside_->copies[path];
    copy.event = true;
    copy.subtree |= subtree;
}

bool Model::remove(const std::string& path, bool top) {
    // A transaction may know a parent's list from before a child was removed outside.
    if (look(path) == nullptr) return false;
    const std::vector<std::string> children = look(path)->children;
    for (const std::string& child : children)
        if (!remove(below(path, child), false)) return false;
    changed(path, top);
    drop(path);
    std::erase(touch(parent(path)).children, name(path));
    return true;
}

std::string Model::commit(Transaction& transaction) {
    for (const auto& [path, copy] : transaction.copies) {
        const auto found = nodes_.find(path);
        if ((found == nodes_.end() ? 0 : found->second.version) != copy.base) return "EAGAIN";
    }
    for (const std::string& path : transaction.order) {
        const Copy& copy = transaction.copies[path];
        if (copy.modified && copy.node) {
            nodes_[path] = *copy.node;
            nodes_[path].version = ++versions_;
        } else if (copy.modified) {
            nodes_.erase(path);
        }
        // A node that came and went within the transaction tells nobody.
        if (copy.event && (copy.node || copy.base != 0)) tell(path, copy.subtree);
    }
    return "OK";
}

std::string Model::answer(const Request& r) {
    auto& own = transactions_[r.client];
    inside_ = r.inside && !own.empty() ? &own.front() : nullptr;
    switch (r.op) {
        case Op::start:
            if (inside_ != nullptr) return "EBUSY";
            own.push_back({++next_id_[r.client], {}, {}});
            return std::to_string(own.back().id);
        case Op::end: {
            if (inside_ == nullptr) return "ENOENT";
            Transaction ended = std::move(own.front());
            own.erase(own.begin());
            inside_ = nullptr;
            return r.commit ? commit(ended) : "OK";
        }
        case Op::watch:
            for (const Watch& w : watches_)
                if (w.client == r.client && w.path == r.path && w.token == r.value) return "EEXIST";
            watches_.insert(std::upper_bound(watches_.begin(), watches_.end(), r.client,
                                             [](unsigned client, const Watch& w) { return client < w.client; }),
                            {r.client, r.path, r.value});
            return "OK";
        case Op::unwatch: {
            const auto gone = std::erase_if(watches_, [&](const Watch& w) {
                return w.client == r.client && w.path == r.path && w.token == r.value;
            });
            return gone != 0 ? "OK" : "ENOENT";
        }
        default:
            break;
    }
    Node* node = look(r.path);
    if (node == nullptr) look_up(r.path);
    switch (r.op) {
        case Op::read:
            return node == nullptr ? "ENOENT" : node->value;
        case Op::get_perms:
            return node == nullptr ? "ENOENT" : node->perms;
        case Op::directory: {
            if (node == nullptr) return "ENOENT";
            std::string all;
            for (const std::string& child : node->children) all += child + "|";
            return all;
        }
        case Op::set_perms:
            if (node == nullptr) return "ENOENT";
            touch(r.path).perms = r.value;
            changed(r.path, true);
            return "OK";
        case Op::rm:
            if (node == nullptr) return look(parent(r.path)) != nullptr ? "OK" : "ENOENT";
            if (r.path == "/") return "EINVAL";
            if (look(parent(r.path)) == nullptr) return "EINVAL";
            return remove(r.path, true) ? "OK" : "EIO";
        case Op::mkdir:
            if (node != nullptr) return "OK";
            [[fallthrough]];
        case Op::write:
            if (node != nullptr) {
                touch(r.path).value = r.value;
            } else {
                std::vector<std::string> missing;
                std::string at = r.path;
                for (; look(at) == nullptr; at = parent(at)) missing.push_back(at);
                const std::string perms = look(at)->perms;
                for (const std::string& path : missing) {
                    Node made{path == r.path && r.op == Op::write ? r.value : "", perms, {}, ++versions_};
                    if (path != r.path)
                        made.children.push_back(name(missing[static_cast<std::size_t>(
                            std::find(missing.begin(), missing.end(), path) - missing.begin() - 1)]));
                    put(path, made);
                }
                touch(at).children.push_back(name(missing.back()));
            }
            changed(r.path, true);
            return "OK";
        default:
            return "?";
    }
}

Heard Model::run(const Request& request) {
    heard_.clear();
    const std::string said = answer(request);
    heard_[request.client].push_back(said);
    if (request.op == Op::watch && said == "OK")
        heard_[request.client].push_back("event " + request.path + " " + request.value);
    return std::move(heard_);
}

std::uint32_t Model::oldest_transaction(unsigned client) const {
    const auto found = transactions_.find(client);
    return found == transactions_.end() || found->second.empty() ? 0 : found->second.front().id;
}

}  // namespace xenrig::xenstore::test
