// Domains as oxenstored knows them: INTRODUCE, RELEASE, RESUME, SET_TARGET, CONTROL, and what Xen says of them.
#include <algorithm>

#include "sim/xenstore/oxenstored/service.h"
#include "sim/xenstore/path.h"

namespace xenrig::xenstore::oxen {
namespace {

/// The only feature that oxenstored shows to a guest: that it may ask for a new connection.
constexpr std::uint32_t kReconnection = 1;

constexpr bool is_domain(std::int64_t id) { return id >= 0 && id <= UINT16_MAX; }
constexpr DomId domain(std::int64_t id) { return DomId(static_cast<std::uint16_t>(id)); }

}  // namespace

Service::Service(Daemon::Impl& daemon) : daemon_(daemon) {
    Version version = live();
    const Identity dom0;
    version.counts[0] = 2;  // "/tool" and "/tool/xenstored", which are there
    for (const std::string_view path : {"/local", "/@introduceDomain", "/@releaseDomain"})
        (void)version.mkdir(dom0, path);
    // Its limits are its own.
    Domains& domains = daemon_.store.domains();
    domains.global_limits.hard.fill(0);
    domains.find(0)->limits = domains.global_limits;
    domains_.emplace(0, Known{0, 1});
}

Connection& Service::connect_ring(DomId id, std::unique_ptr<RingTransport> ring, Port port) {
    Domains& domains = daemon_.store.domains();
    Domain* known = domains.find(id.value);
    if (known == nullptr) known = &domains.add(id, 0);
    Connection& connection = daemon_.connect_ring(*known, std::move(ring), port);
    connection.ring()->set_features(kReconnection);
    return connection;
}

Outcome<> Service::introduce(std::int64_t id, std::int64_t frame, std::int64_t port) {
    const auto known = domains_.find(id);
    if (known != domains_.end()) {
        if (known->second.frame == kUnknownFrame) known->second.frame = frame;
        if (known->second.frame == frame && id != 0) {
            known->second.port = port;
            daemon_.environment.rebind_ring(domain(id), Port(static_cast<std::uint32_t>(port)));
        }
        if (known->second.frame != frame || known->second.port != port) return refuse("EINVAL");
        return {};
    }
    if (!is_domain(id) || port <= 0 || port > UINT32_MAX) return refuse("EINVAL");
    const Port remote(static_cast<std::uint32_t>(port));
    auto ring = daemon_.environment.map_ring(domain(id), remote);
    if (!ring) return refuse("EINVAL");
    connect_ring(domain(id), std::move(*ring), remote);
    domains_.emplace(id, Known{frame, port});
    // The domain is there, whatever the answer.
    if (!tell_special(kIntroduceDomain)) return refuse("EINVAL");
    return {};
}

void Service::end_domain(Connection& connection) {
    const DomId id = connection.domain_id();
    domains_.erase(id.value);
    daemon_.remove(connection);
    Version version = live();
    version.forget_domain(id.value);
    daemon_.store.domains().remove(id);
    daemon_.environment.unmap_ring(id);
}

void Service::reconnect(Connection& connection) {
    RingTransport* const ring = connection.ring();
    if (ring == nullptr || connection.broken || !ring->wants_reset()) return;
    daemon_.empty(connection);
    connection.next_transaction = 1;
    ring->reset();
}

Outcome<> Service::release(std::int64_t id) {
    const bool known = domains_.erase(id) != 0;
    Domain* const gone =
        is_domain(id) && id != 0 ? daemon_.store.domains().find(static_cast<std::uint32_t>(id)) : nullptr;
    Version version = live();
    if (known && gone != nullptr && gone->connection != nullptr) {
        daemon_.end_ring(*gone->connection);
    } else {
        // Of dom0, too: all that is its own goes.
        version.forget_domain(static_cast<std::uint32_t>(id));
    }
    if (!known) return refuse("EINVAL");
    return tell_special(kReleaseDomain);
}

Outcome<> Service::resume(std::int64_t id) {
    if (!domains_.contains(id)) return refuse("EINVAL");
    if (Domain* known = is_domain(id) ? daemon_.store.domains().find(static_cast<std::uint32_t>(id)) : nullptr)
        known->shutdown = false;
    return {};
}

Outcome<> Service::set_target(std::uint64_t id, std::uint64_t target) {
    const bool known = domains_.contains(static_cast<std::int64_t>(id));
    if (!known) return refuse("ENOENT");
    Connection* connection = daemon_.store.domains().find(static_cast<std::uint32_t>(id))->connection;
    if (connection == nullptr) return {};
    connection->target.reset();
    if (target <= UINT16_MAX) connection->target = domain(static_cast<std::int64_t>(target));
    return {};
}

void Service::check_domains() {
    bool any = false;
    for (const auto& [id, entry] : std::map(domains_)) {
        if (id == 0) continue;
        Domain& known = *daemon_.store.domains().find(static_cast<std::uint32_t>(id));
        const DomainState state = daemon_.environment.domain_state(domain(id));
        if (state == DomainState::alive || (state == DomainState::shutdown && known.shutdown)) continue;
        any = true;
        known.shutdown = true;
        if (state != DomainState::shutdown) end_domain(*known.connection);
    }
    if (any) (void)tell_special(kReleaseDomain);
}

std::string Service::control(const Connection& connection, std::string_view payload, const Version& version) const {
    if (!identity_of(connection).dom0()) return {};
    const auto words = split(payload);
    if (words[0] == "live-update" && words.size() > 1) {
        if (auto done = daemon_.live_update(connection, std::span(words).subspan(1, words.size() - 2)))
            return *done + '\0';
        std::string text = "Unknown arguments: ";
        for (std::size_t i = 1; i + 1 < words.size(); ++i) text.append(i == 1 ? "" : ",").append(words[i]);
        return text;
    }
    if (words[0] == "watches") {
        std::string text;
        for (const auto& [id, client] : daemon_.connections)
            for (const auto& [order, watch] : client->watches)
                text.append("watch ")
                    .append(client->ring() != nullptr ? "D" + std::to_string(client->domain_id().value)
                                                      : "A" + std::to_string(id))
                    .append(": " + watch.path.substr(watch.prefix) + ' ' + watch.token + '\n');
        return text + '\0';
    }
    const auto id = words.size() > 1 ? int_of_string(words[1]) : std::nullopt;
    if (!id) return {};
    if (words[0] == "quota") {
        const auto count = version.counts.find(static_cast<std::uint32_t>(*id));
        const std::string name = "dom" + std::to_string(*id) + " quota: ";
        if (count == version.counts.end()) return name + "not set" + '\0';
        return name + std::to_string(count->second) + '/' + std::to_string(kLimits.nodes) + '\0';
    }
    if (words[0] == "mfn") {
        const auto known = domains_.find(*id);
        if (known != domains_.end()) return std::to_string(known->second.frame) + '\0';
    }
    return {};
}

}  // namespace xenrig::xenstore::oxen
