// Domains: their requests, their life as Xen and dom0 tell it, their features and quotas.
#include "tests/model/reference.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

#include "tests/model/reference_text.h"

namespace xenrig::model {

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
        domains_[*id].target = target;
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
    if (type == kGetFeature && !strings.empty() && is_ring(client_->name)) return fail("EACCES");
    if (strings.size() > most || strings.size() < least) return fail("EINVAL");
    if (type == kGetFeature && strings.empty())
        return {with_nul(std::to_string(is_ring(client_->name) ? domains_[id_of(client_->name)].features : kFeatures))};
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

}  // namespace xenrig::model
