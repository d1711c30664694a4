#include "tests/model/reference.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <utility>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

namespace xenrig::model {
namespace {

// Numbers of Xen's head that libxen-dev's header does not have yet.
constexpr std::uint32_t kGetFeature = 23, kSetFeature = 24, kGetQuota = 25, kSetQuota = 26;
constexpr std::uint32_t kAnyDomain = 0x7FF5;
constexpr std::uint32_t kSelf = 0x7FF0;
constexpr std::uint32_t kFeatures = 14, kFeatureWatchDepth = 4, kFeatureAnyDomain = 8;

std::string parent_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}
std::string name_in(const std::string& path) { return path.substr(path.rfind('/') + 1); }
std::string below(const std::string& path, const std::string& child) { return (path == "/" ? "" : path) + "/" + child; }
std::string home_of(std::uint16_t id) { return "/local/domain/" + std::to_string(id); }
std::uint16_t id_of(const std::string& connection) { return is_ring(connection) ? domain_of(connection) : 0; }

/// How many levels `path` lies below `top`; less than 0 if it does not.
int levels_below(const std::string& top, const std::string& path) {
    if (path == top) return 0;
    const std::string start = top == "/" ? top : top + "/";
    if (!path.starts_with(start) || path.front() != top.front()) return -1;
    return 1 + static_cast<int>(std::count(path.begin() + static_cast<std::ptrdiff_t>(start.size()), path.end(), '/'));
}

std::vector<std::string> strings_of(const std::string& payload) {
    std::vector<std::string> strings(1);
    for (const char c : payload) {
        if (c == '\0')
            strings.emplace_back();
        else
            strings.back() += c;
    }
    strings.pop_back();
    return strings;
}
bool is_one_string(const std::string& payload) { return !payload.empty() && payload.find('\0') == payload.size() - 1; }
long number_in(const std::string& text) { return std::strtol(text.c_str(), nullptr, 10); }
std::string with_nul(std::string text) { return text.append(1, '\0'); }

/// A transaction's list may hold a name twice: of a child that was removed outside and then made anew in it.
void erase_first(std::vector<std::string>& names, const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) names.erase(found);
}

std::optional<std::uint16_t> parse_domain(const std::string& text) {
    char* end = nullptr;
    const unsigned long id = std::strtoul(text.c_str(), &end, 10);
    if (*end != '\0' || id > UINT16_MAX) return std::nullopt;
    return static_cast<std::uint16_t>(id);
}

}  // namespace

Reference::Reference()
    : global_limits_{{"nodes", 1000},           {"watches", 128},     {"outstanding", 20},
                     {"memory", 2'621'440},     {"transactions", 10}, {"transaction-nodes", 1024},
                     {"node-permissions", 5},   {"path-max", 2048},   {"node-size", 2048},
                     {"soft-memory", 2'097'152}} {
    domains_[0].introduced = true;
    domains_[0].limits = global_limits_;
    const Perms dom0{{0, 'n', false}};
    nodes_["/"] = {"", dom0, {"tool"}, ++generation_};
    nodes_["/tool"] = {"", dom0, {"xenstored"}, ++generation_};
    nodes_["/tool/xenstored"] = {"", dom0, {}, ++generation_};
    // Every domain may hear of those that go, until dom0 says otherwise.
    nodes_["@releaseDomain"] = {"", {{0, 'n', false}, {kAnyDomain, 'r', false}}, {}, ++generation_};
    nodes_["@introduceDomain"] = {"", dom0, {}, ++generation_};
}

bool Reference::connected(const std::string& connection) const {
    return std::any_of(clients_.begin(), clients_.end(), [&](const Client& c) { return c.name == connection; });
}

Heard Reference::run(const Step& step) {
    heard_.clear();
    merges_ = step.requests.size() < 2;
    switch (step.kind) {
        case Step::Kind::open:
            // A guest's connection comes with INTRODUCE.
            if (!is_ring(step.connection) && !connected(step.connection)) clients_.push_back({step.connection});
            break;
        case Step::Kind::close:
            if (!is_ring(step.connection)) forget(step.connection);
            break;
        case Step::Kind::requests:
            // Who sends several requests at once does not know yet which transactions they begin.
            known_ids_ = ids_;
            for (const Request& r : step.requests) {
                const auto client = std::find_if(clients_.begin(), clients_.end(),
                                                 [&](const Client& c) { return c.name == step.connection; });
                if (client == clients_.end()) break;
                client_ = &*client;
                request(r);
            }
            break;
        default:
            if (step.kind != Step::Kind::exist && !world_.contains(step.domain)) break;
            world_[step.domain] = step.kind;
            if (step.kind != Step::Kind::exist) check_domains();
    }
    return std::move(heard_);
}

// Requests.

void Reference::request(const Request& request) {
    const std::string connection = client_->name;
    const Answer a = answer(request);
    // What is longer than a message can be is an error in its place.
    if (a.payload.size() > XENSTORE_PAYLOAD_MAX)
        hear(connection, XS_ERROR, with_nul("E2BIG"));
    else
        hear(connection, a.error ? std::uint32_t{XS_ERROR} : request.type, a.error ? with_nul(a.payload) : a.payload);
    if (request.type == XS_WATCH && !a.error) {
        const Watch& made = watches_.back();
        hear(connection, XS_WATCH_EVENT, with_nul(made.shown) + with_nul(made.token));
    }
    if (ends_after_answer_) {
        const std::uint16_t id = *ends_after_answer_;
        ends_after_answer_.reset();
        end_domain(id);
    }
}

Reference::Answer Reference::answer(const Request& request) {
    const std::uint32_t type = request.type;
    const bool known = (type <= XS_SET_PERMS || (type >= XS_IS_DOMAIN_INTRODUCED && type <= XS_SET_TARGET) ||
                        (type >= XS_RESET_WATCHES && type <= kSetQuota));
    if (!known) return fail("ENOSYS");
    const bool for_dom0 = type == XS_CONTROL || type == XS_INTRODUCE || type == XS_RELEASE ||
                          type == XS_IS_DOMAIN_INTRODUCED || type == XS_RESUME || type == XS_SET_TARGET ||
                          type == kSetFeature || type == kGetQuota || type == kSetQuota;
    if (for_dom0 && is_ring(client_->name)) return fail("EACCES");
    inside_ = nullptr;
    if (!request.transaction.empty() && type != XS_WATCH && type != XS_UNWATCH) {
        const auto id = known_ids_.find(request.transaction);
        const auto found = client_->transactions.find(id != known_ids_.end() ? id->second : kNoTransaction);
        if (found == client_->transactions.end()) return fail("ENOENT");
        inside_ = &found->second;
    }

    const std::string& payload = request.payload;
    const std::vector<std::string> strings = strings_of(payload);
    const std::string path = strings.empty() ? "" : strings[0];
    switch (type) {
        case XS_READ:
        case XS_DIRECTORY:
        case XS_GET_PERMS:
            return is_one_string(payload) ? read(path, type, "") : fail("EINVAL");
        case XS_DIRECTORY_PART:
            return strings.size() == 2 ? read(path, type, strings[1]) : fail("EINVAL");
        case XS_WRITE: {
            const auto nul = payload.find('\0');
            return nul != std::string::npos ? write(path, payload.substr(nul + 1), false) : fail("EINVAL");
        }
        case XS_MKDIR:
            return is_one_string(payload) ? write(path, "", true) : fail("EINVAL");
        case XS_RM:
            return is_one_string(payload) ? remove(path) : fail("EINVAL");
        case XS_SET_PERMS:
            return strings.size() >= 2 ? set_perms(path, {strings.begin() + 1, strings.end()}) : fail("EINVAL");
        case XS_WATCH:
            return watch(strings);
        case XS_UNWATCH:
            return unwatch(strings);
        case XS_RESET_WATCHES:
            std::erase_if(watches_, [&](const Watch& w) { return w.connection == client_->name; });
            client_->transactions.clear();
            return ok();
        case XS_TRANSACTION_START:
            return start(request.save);
        case XS_TRANSACTION_END: {
            if (!is_one_string(payload) || (path != "T" && path != "F")) return fail("EINVAL");
            if (inside_ == nullptr) return fail("ENOENT");
            Transaction ended = std::move(*inside_);
            client_->transactions.erase(known_ids_.at(request.transaction));
            inside_ = nullptr;
            return path == "T" ? commit(ended) : ok();
        }
        case kGetFeature:
        case kSetFeature:
        case kGetQuota:
        case kSetQuota:
            return feature_or_quota(type, strings);
        default:
            return domain_request(type, payload);
    }
}

Reference::Answer Reference::read(const std::string& written, std::uint32_t type, std::string_view offset) {
    const std::string path = absolute(written);
    if (!is_path(path, type == XS_GET_PERMS)) return fail("EINVAL");
    if (const Answer refused = reach(path, kRead); refused.error) return refused;
    const Node& node = *look(path);
    if (type == XS_READ) return {node.value};
    std::string names;
    for (const std::string& child : node.children) names += with_nul(child);
    if (type == XS_DIRECTORY) return {names};
    if (type == XS_DIRECTORY_PART) {
        // As many whole names as fit, and one more nul when the end is among them.
        std::string part = with_nul(std::to_string(node.generation));
        const auto from = static_cast<std::uint32_t>(number_in(std::string(offset)));
        std::string rest = from < names.size() ? names.substr(from) : "";
        while (!rest.empty()) {
            const auto length = rest.find('\0') + 1;
            if (part.size() + length - 1 >= XENSTORE_PAYLOAD_MAX - 1) break;
            part += rest.substr(0, length);
            rest.erase(0, length);
        }
        return {rest.empty() ? with_nul(part) : part};
    }
    std::string perms;
    for (const Perm& perm : current(node.perms, node.generation))
        perms += with_nul(perm.letter + std::to_string(static_cast<std::int32_t>(perm.domain)));
    return {perms};
}

Reference::Answer Reference::write(const std::string& written, const std::string& value, bool directory) {
    const std::string path = absolute(written);
    if (!is_path(path, false)) return fail("EINVAL");
    const Answer refused = reach(path, kWrite);
    if (refused.error && refused.payload != "ENOENT") return refused;
    if (!refused.error && directory) return ok();
    if (refused.error) {
        if (const Answer made = create(path, value); made.error) return made;
    } else {
        const Node& node = *look(path);
        std::size_t size = 16 + 8 * node.perms.size() + value.size();
        for (const std::string& child : node.children) size += child.size() + 1;
        if (too_large(size)) return fail("ENOSPC");
        touch(path).value = value;
    }
    changed(path, nullptr);
    return ok();
}

Reference::Answer Reference::create(const std::string& path, const std::string& value) {
    std::vector<std::string> missing;
    std::string at = path;
    for (; look(at) == nullptr; at = parent_of(at)) missing.push_back(at);
    if (inside_ != nullptr) inside_->created = true;
    if (reaches_limit("nodes", owned_by(id_of(client_->name)) + std::size_t{1})) return fail("ENOSPC");

    // A new node has its parent's permissions; one that a guest makes is the guest's.
    const Node& parent = *look(at);
    Perms perms = current(parent.perms, parent.generation);
    if (is_ring(client_->name)) perms.front().domain = id_of(client_->name);
    const std::size_t empty = 16 + 8 * perms.size();
    if (too_large(empty + value.size())) return fail("ENOSPC");
    for (std::size_t i = 0; i + 1 < missing.size(); ++i)
        if (too_large(empty + name_in(missing[i]).size() + 1)) return fail("ENOSPC");
    std::size_t grown = 16 + 8 * parent.perms.size() + parent.value.size() + name_in(missing.back()).size() + 1;
    for (const std::string& child : parent.children) grown += child.size() + 1;
    if (too_large(grown)) return fail("ENOSPC");

    for (std::size_t i = 0; i < missing.size(); ++i) {
        Node node{i == 0 ? value : "", perms, {}, ++generation_};
        if (i != 0) node.children.push_back(name_in(missing[i - 1]));
        count_nodes(perms.front().domain, 1);
        put(missing[i], node);
    }
    touch(at).children.push_back(name_in(missing.back()));
    return ok();
}

Reference::Answer Reference::remove(const std::string& written) {
    const std::string path = absolute(written);
    if (!is_path(path, false)) return fail("EINVAL");
    if (const Answer refused = reach(path, kWrite); refused.error) {
        // What is not there is removed already, if its parent is there.
        if (refused.payload == "ENOENT" && look(parent_of(path)) != nullptr) return ok();
        return refused;
    }
    if (path == "/") return fail("EINVAL");
    if (inside_ == nullptr) {
        erase_live(path);
        return ok();
    }
    if (look(parent_of(path)) == nullptr) return fail("EINVAL");
    // From the leaves up. A child that the list still has and that was removed outside is an error halfway.
    std::vector<std::pair<std::string, std::size_t>> open{{path, 0}};
    while (!open.empty()) {
        const std::string at = open.back().first;
        if (look(at) == nullptr) return fail("EIO");
        const std::vector<std::string> children = look(at)->children;
        // What was removed on the way up is not in the list any more, so the first is always the next.
        if (!children.empty()) {
            open.emplace_back(below(at, children.front()), 0);
            continue;
        }
        ++generation_;
        count_nodes(look(at)->perms.front().domain, -1);
        put(at, std::nullopt);
        auto& event = inside_->copies[at].event;
        event = open.size() == 1 || event.value_or(false);
        erase_first(touch(parent_of(at)).children, name_in(at));
        open.pop_back();
    }
    return ok();
}

Reference::Answer Reference::set_perms(const std::string& written, const std::vector<std::string>& texts) {
    const bool guest = is_ring(client_->name);
    if (reaches_limit("node-permissions", texts.size())) return fail("ENOSPC");
    Perms perms;
    for (const std::string& text : texts) {
        if (text.empty() || std::string("nrwb").find(text[0]) == std::string::npos) return fail("EINVAL");
        char* end = nullptr;
        const long id = std::strtol(text.c_str() + 1, &end, 0);
        if (end == text.c_str() + 1 || *end != '\0') return fail("EINVAL");
        perms.push_back({static_cast<std::uint32_t>(id), text[0], false});
    }
    for (Perm& perm : perms) {
        if (perm.domain == kAnyDomain)
            perm.ignored = guest && (domains_.at(id_of(client_->name)).features & kFeatureAnyDomain) == 0;
        else
            perm.ignored = existing(perm.domain) == nullptr;
    }
    if (perms.front().ignored) return fail("ENOENT");
    const std::string path = absolute(written);
    if (!is_path(path, true)) return fail("EINVAL");
    if (const Answer refused = reach(path, kWrite | kOwner); refused.error) return refused;
    const Node& node = *look(path);
    const Perms old = current(node.perms, node.generation);
    if (guest && perms.front().domain != old.front().domain) return fail("EPERM");
    std::size_t size = 16 + 8 * perms.size() + node.value.size();
    for (const std::string& child : node.children) size += child.size() + 1;
    if (too_large(size)) return fail("ENOSPC");
    count_nodes(old.front().domain, -1);
    count_nodes(perms.front().domain, 1);
    touch(path).perms = perms;
    changed(path, &old);
    return ok();
}

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

// Transactions: nothing is held still. Each node is copied when it is first looked at, and the end asks whether all of
// them are what they were.

Reference::Answer Reference::start(const std::string& name) {
    if (inside_ != nullptr) return fail("EBUSY");
    if (reaches_limit("transactions", client_->transactions.size() + 1)) return fail("ENOSPC");
    ++generation_;
    const std::uint32_t id = client_->next_id++;
    client_->transactions[id] = {};
    ids_[name] = id;
    return {"(id)"};
}

Reference::Answer Reference::commit(Transaction& transaction) {
    if (transaction.failed) return fail("ENOMEM");
    if (transaction.created && is_ring(client_->name)) {
        for (const auto& [owner, count] : transaction.nodes) {
            const Domain* domain = existing(owner);
            if (domain == nullptr) return fail("ENOMEM");
            const std::uint32_t limit = domain->limits.at("nodes");
            const auto id = static_cast<std::uint16_t>(owner);
            if (count >= 0 && limit != 0 && id != 0 && owned_by(id) + static_cast<std::uint32_t>(count) >= limit)
                return fail("ENOSPC");
        }
    }
    for (const auto& [path, copy] : transaction.copies) {
        const auto live = nodes_.find(path);
        const bool same =
            copy.base ? live != nodes_.end() && live->second.generation == copy.base->generation : live == nodes_.end();
        if (!same) return fail("EAGAIN");
    }
    // One after the other, in the order in which they were first looked at, each with its event.
    for (const std::string& path : transaction.order) {
        const Copy& copy = transaction.copies.at(path);
        if (copy.modified && copy.node) {
            nodes_[path] = *copy.node;
            nodes_[path].generation = ++generation_;
        } else if (copy.modified) {
            nodes_.erase(path);
        }
        if (!copy.event) continue;
        std::optional<Perms> old;
        if (copy.base) old = current(copy.base->perms, copy.base->generation);
        const auto node = nodes_.find(path);
        const auto parent = nodes_.find(parent_of(path));
        fire(path, *copy.event ? Match::subtree : Match::exact, old ? &*old : nullptr,
             node != nodes_.end() ? &node->second : nullptr, parent != nodes_.end() ? &parent->second : nullptr);
    }
    for (const auto& [owner, count] : transaction.nodes) (void)existing(owner);
    return ok();
}

// Domains.

Reference::Answer Reference::domain_request(std::uint32_t type, const std::string& payload) {
    const std::vector<std::string> strings = strings_of(payload);
    if (type == XS_INTRODUCE) {
        if (strings.size() < 3) return fail("EINVAL");
        const auto id = parse_domain(strings[0]);
        if (!id || static_cast<std::int32_t>(number_in(strings[2])) <= 0) return fail("EINVAL");
        return introduce(*id);
    }
    const auto introduced = [&](std::uint16_t id) {
        const auto found = domains_.find(id);
        return found != domains_.end() && found->second.introduced;
    };
    if (type == XS_SET_TARGET) {
        if (strings.size() < 2) return fail("EINVAL");
        const auto id = parse_domain(strings[0]);
        const auto target = parse_domain(strings[1]);
        if (!id || !target) return fail("EINVAL");
        if (!introduced(*id) || !introduced(*target)) return fail("ENOENT");
        domains_[*id].target = *target;
        return ok();
    }
    if (!is_one_string(payload)) return fail("EINVAL");
    const auto id = parse_domain(strings[0]);
    if (!id) return fail("EINVAL");
    switch (type) {
        case XS_GET_DOMAIN_PATH:
            return {with_nul(home_of(*id))};
        case XS_IS_DOMAIN_INTRODUCED:
            return {with_nul(*id == kSelf || introduced(*id) ? "T" : "F")};
        default:
            if (*id == 0) return fail("EINVAL");
            if (!introduced(*id)) return fail("ENOENT");
            if (type == XS_RELEASE) return release(*id);
            domains_[*id].shutdown = false;
            return ok();
    }
}

Reference::Answer Reference::introduce(std::uint16_t id) {
    if (id == 0) return ok();
    const std::string ring = "d" + std::to_string(id);
    if (connected(ring)) {
        // The guest has been restored: its connection begins anew.
        std::erase_if(watches_, [&](const Watch& w) { return w.connection == ring; });
        for (Client& c : clients_)
            if (c.name == ring) c.transactions.clear();
        return ok();
    }
    if (!world_.contains(id)) return fail("EINVAL");
    if (!domains_.contains(id)) domains_[id] = {.since = generation_, .limits = global_limits_};
    domains_[id].introduced = true;
    domains_[id].shutdown = false;
    clients_.push_back({ring});
    special("@introduceDomain", id, true, true);
    return ok();
}

Reference::Answer Reference::release(std::uint16_t id) {
    const std::string ring = "d" + std::to_string(id);
    std::erase_if(watches_, [&](const Watch& w) { return w.connection == ring; });
    // The daemon's loop holds on to the connection that comes next, so that one ends only after the answer.
    const auto asks = std::find_if(clients_.begin(), clients_.end(), [&](const Client& c) { return &c == client_; });
    const auto next = std::next(asks);
    if (next != clients_.end() && next->name == ring)
        ends_after_answer_ = id;
    else
        end_domain(id);
    return ok();
}

Reference::Answer Reference::feature_or_quota(std::uint32_t type, const std::vector<std::string>& strings) {
    const std::size_t most = type == kSetQuota ? 3 : type == kGetFeature ? 1 : 2;
    const std::size_t least = type == kSetQuota || type == kSetFeature ? 2 : 0;
    if (strings.size() > most || strings.size() < least) return fail("EINVAL");
    if (type == kGetFeature && strings.empty())
        return {with_nul(std::to_string(is_ring(client_->name) ? domains_[id_of(client_->name)].features : kFeatures))};
    if (type == kGetFeature && is_ring(client_->name)) return fail("EACCES");
    if (type == kGetQuota && strings.empty())
        return {
            with_nul("nodes watches outstanding memory soft-memory transactions transaction-nodes node-permissions "
                     "path-max node-size")};

    Limits* limits = &global_limits_;
    Domain* domain = nullptr;
    const bool names_domain = type == kGetFeature || type == kSetFeature || strings.size() == most;
    if (names_domain) {
        const auto id = parse_domain(strings[0]);
        if (!id) return fail("EINVAL");
        domain = existing(*id);
        if (domain == nullptr) return fail("ENOENT");
        limits = &domain->limits;
    }
    if (type == kGetFeature) return {with_nul(std::to_string(domain->features))};
    if (type == kSetFeature) {
        const auto features = static_cast<std::uint32_t>(number_in(strings[1]));
        if (domain->introduced) return fail("EBUSY");
        if ((features & ~kFeatures) != 0) return fail("EINVAL");
        domain->features = features;
        return ok();
    }
    const auto limit = limits->find(strings[names_domain ? 1 : 0]);
    if (limit == limits->end()) return fail("EINVAL");
    if (type == kGetQuota) return {with_nul(std::to_string(limit->second))};
    const auto value = static_cast<std::uint32_t>(number_in(strings.back()));
    if (value == UINT32_MAX) return fail("EINVAL");
    limit->second = value;
    return ok();
}

void Reference::forget(const std::string& connection) {
    std::erase_if(watches_, [&](const Watch& w) { return w.connection == connection; });
    std::erase_if(clients_, [&](const Client& c) { return c.name == connection; });
    // What was to be sent goes with it.
    heard_.erase(connection);
}

void Reference::end_domain(std::uint16_t id) {
    forget("d" + std::to_string(id));
    domains_[id].gone = true;
    for (const char* special : {"@releaseDomain", "@introduceDomain"})
        if (nodes_[special].perms.front().domain == id) nodes_[special].perms.front().domain = 0;
    // All that it owns, from the root down; what lies below a node goes with it, whoever owns that.
    std::vector<std::string> look_at{"/"};
    while (!look_at.empty()) {
        const std::string at = look_at.back();
        look_at.pop_back();
        if (at != "/" && nodes_.at(at).perms.front().domain == id) {
            erase_live(at);
            continue;
        }
        const std::vector<std::string>& children = nodes_.at(at).children;
        for (auto child = children.rbegin(); child != children.rend(); ++child) look_at.push_back(below(at, *child));
    }
    const bool was_introduced = domains_[id].introduced;
    domains_.erase(id);
    if (was_introduced) special("@releaseDomain", id, true, true);
}

void Reference::check_domains() {
    bool shutdown = false;
    const auto known = domains_;
    for (const auto& [id, domain] : known) {
        if (id == 0 || !domain.introduced || !world_.contains(id)) continue;
        if (world_[id] == Step::Kind::shutdown && !domain.shutdown) {
            domains_[id].shutdown = true;
            special("@releaseDomain", id, false, true);
            shutdown = true;
        }
        if (world_[id] == Step::Kind::dying) {
            end_domain(id);
            shutdown = false;
        }
    }
    if (shutdown) special("@releaseDomain", 0, true, false);
}

// Nodes.

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

// Rights.

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

/// A domain that Xen knows is known from the moment that somebody names it.
Reference::Domain* Reference::existing(std::uint32_t id) {
    if (id > UINT16_MAX) return nullptr;
    const auto small = static_cast<std::uint16_t>(id);
    if (!domains_.contains(small)) {
        if (!world_.contains(small)) return nullptr;
        domains_[small] = {.since = generation_, .limits = global_limits_};
    }
    return &domains_[small];
}

// Events.

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
