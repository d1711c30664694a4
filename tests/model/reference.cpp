#include "tests/model/reference.h"

#include <algorithm>
#include <cstdint>
#include <utility>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

#include "tests/model/reference_text.h"

namespace xenrig::model {

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

void Reference::forget(const std::string& connection) {
    std::erase_if(watches_, [&](const Watch& w) { return w.connection == connection; });
    std::erase_if(clients_, [&](const Client& c) { return c.name == connection; });
    // What was to be sent goes with it.
    heard_.erase(connection);
}

}  // namespace xenrig::model
