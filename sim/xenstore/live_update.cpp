// The daemon's state as an image, and a daemon that goes on from one (lu.c).
#include <algorithm>

#include "sim/xenstore/daemon_impl.h"
#include "sim/xenstore/oxenstored/service.h"
#include "sim/xenstore/path.h"
#include "sim/xenstore/state_image.h"

namespace xenrig::xenstore {
namespace {

constexpr std::uint16_t kNoDomain = 0x7FF4;

std::vector<std::pair<std::string, std::uint32_t>> named(const Limits& limits) {
    std::vector<std::pair<std::string, std::uint32_t>> all;
    for (std::size_t i = 0; i < kQuotas; ++i) {
        const std::string name(kQuotaNames[i].name);
        if (limits.hard[i] != kQuotaDisabled) all.emplace_back(name, limits.hard[i]);
        if (limits.soft[i] != kQuotaDisabled) all.emplace_back("soft-" + name, limits.soft[i]);
    }
    return all;
}

void set_limits(Limits& limits, const std::vector<std::pair<std::string, std::uint32_t>>& all) {
    for (const auto& [name, value] : all)
        if (std::uint32_t* limit = limits.find(name)) *limit = value;
}

NodeImage image_of(const Domains* domains, const Node& node, std::string path) {
    const Perms perms = domains != nullptr ? domains->current(node.perms, node.generation) : node.perms;
    const auto entries = perms->entries();
    return {std::move(path), std::string(node.value()), {entries.begin(), entries.end()}};
}

/// `domains` says which entries of permissions are of a domain that has gone; oxenstored, without it, has no such ones.
void add_subtree(StateImage& image, const Domains* domains, const Node& top, const std::string& path) {
    std::vector<std::pair<const Node*, std::string>> rest{{&top, path}};
    while (!rest.empty()) {
        const auto [node, at] = std::move(rest.back());
        rest.pop_back();
        const std::size_t first = rest.size();
        node->children.for_each([&](const Node& child) {
            // oxenstored takes "@a/b" for one name; the format does not.
            if (child.name().find('/') != std::string_view::npos || !well_formed(child.name())) return true;
            rest.emplace_back(&child, join(at, child.name()));
            return true;
        });
        // The last one pushed is the next one taken.
        std::reverse(rest.begin() + static_cast<std::ptrdiff_t>(first), rest.end());
        image.nodes.push_back(image_of(domains, *node, at));
    }
}

/// The rest of a message that is longer than the format can say, of oxenstored alone, ends its connection.
void add_connection(StateImage& image, const Connection& connection) {
    ConnectionImage c;
    c.id = static_cast<std::uint32_t>(connection.id());
    c.socket = connection.domain() == nullptr;
    c.domain = connection.domain_id().value;
    c.target = connection.target ? connection.target->value : kNoDomain;
    c.port = connection.port.value;
    if (connection.pending_rest() > UINT16_MAX) return;
    c.unprocessed = connection.pending_input();
    c.unwritten = connection.pending_output();
    c.half_written = static_cast<std::uint16_t>(connection.pending_rest());
    image.connections.push_back(std::move(c));
    for (const auto& [order, watch] : connection.watches)
        image.watches.push_back(
            {image.connections.back().id, watch.depth, watch.path.substr(watch.prefix), watch.token});
    for (const auto& [id, transaction] : connection.transactions)
        image.transactions.push_back({image.connections.back().id, id});
    for (const auto& [id, snapshot] : connection.snapshots)
        image.transactions.push_back({image.connections.back().id, id});
}

}  // namespace

StateImage Daemon::Impl::image() {
    StateImage image;
    Domains& domains = store.domains();
    const Domains* current = oxenstored == nullptr ? &domains : nullptr;
    image.quotas = named(domains.global_limits);
    for (const auto& [id, connection] : connections) add_connection(image, *connection);
    add_subtree(image, current, store.tree().root(), "/");
    for (const std::string_view special : {kReleaseDomain, kIntroduceDomain})
        image.nodes.push_back(image_of(current, *store.tree().find(special), std::string(special)));
    for (std::uint32_t id = 0; id < domains.end(); ++id)
        if (const Domain* domain = domains.find(id))
            image.domains.push_back({domain->id.value, domain->features, named(domain->limits)});
    return image;
}

StateImage Daemon::Impl::image(DomId id) {
    StateImage image;
    const Domain* domain = store.domains().find(id.value);
    if (domain == nullptr || domain->connection == nullptr) return image;
    add_connection(image, *domain->connection);
    image.transactions.clear();
    const std::string home = home_of(id.value);
    if (const Node* node = store.tree().find(home))
        add_subtree(image, oxenstored == nullptr ? &store.domains() : nullptr, *node, home);
    image.domains.push_back({id.value, domain->features, named(domain->limits)});
    return image;
}

Answer<> Daemon::Impl::adopt(const StateImage& image, const std::function<Transport*(std::uint32_t)>& socket) {
    if (image.nodes.empty() || image.nodes.front().path != "/") return std::unexpected(Errno::inval);
    Domains& domains = store.domains();
    set_limits(domains.global_limits, image.quotas);
    // Domains first: permissions mean those that exist when they are set.
    for (const DomainImage& d : image.domains) {
        Domain* domain = domains.find_existing(d.id, 0);
        if (domain == nullptr) continue;
        domain->features = d.features;
        set_limits(domain->limits, d.quotas);
    }
    std::map<std::uint32_t, Connection*> by_id;
    for (const ConnectionImage& c : image.connections) {
        if (c.socket) {
            if (Transport* transport = socket ? socket(c.id) : nullptr) {
                by_id[c.id] = &connect(*transport);
                transport->taken_over(*by_id[c.id]);
            }
        } else if (Domain* domain = domains.find_existing(c.domain, 0)) {
            // A ring goes on as it is: its indices are in its page.
            if (auto ring = environment.map_ring(domain->id, Port(c.port))) {
                by_id[c.id] = oxenstored != nullptr
                                  ? &oxenstored->restore_domain(domain->id, std::move(*ring), Port(c.port))
                                  : &connect_ring(*domain, std::move(*ring), Port(c.port));
                if (oxenstored == nullptr) by_id[c.id]->ring()->set_features(domain->features);
            }
        }
        if (!by_id.contains(c.id)) continue;
        Connection& connection = *by_id[c.id];
        if (c.target != kNoDomain) connection.target = DomId(c.target);
        connection.restore(c.unprocessed, c.unwritten, c.half_written);
    }
    if (oxenstored != nullptr)
        oxenstored->restore_nodes(image.nodes);
    else
        store.restore_nodes(image.nodes);
    for (const WatchImage& w : image.watches) {
        if (!by_id.contains(w.connection)) continue;
        if (oxenstored != nullptr)
            (void)oxenstored->watch(*by_id[w.connection], w.path, w.token);
        else
            (void)store.watch(*by_id[w.connection], w.path, w.token, w.depth);
    }
    for (const TransactionImage& t : image.transactions) {
        if (!by_id.contains(t.connection)) continue;
        if (oxenstored != nullptr)
            oxenstored->restore_transaction(*by_id[t.connection], t.id);
        else
            store.restore_transaction(*by_id[t.connection], t.id);
    }
    check_domains();
    return {};
}

Answer<> Daemon::Impl::adopt_guest(const StateImage& image, DomId id) {
    const auto domain = connected(id);
    if (!domain) return std::unexpected(domain.error());
    Connection* connection = (*domain)->connection;
    if (connection == nullptr || oxenstored != nullptr) return std::unexpected(Errno::inval);
    for (const WatchImage& w : image.watches) {
        const auto watch = store.watch(*connection, w.path, w.token, w.depth);
        if (!watch && watch.error() != Errno::exist) return std::unexpected(watch.error());
    }
    if (!image.connections.empty())
        connection->restore(image.connections.front().unprocessed, image.connections.front().unwritten,
                            image.connections.front().half_written);
    return {};
}

}  // namespace xenrig::xenstore
