// Domains come and go: INTRODUCE, RELEASE, RESUME, SET_TARGET, and what Xen says of them (domain.c).
#include "sim/xenstore/daemon_impl.h"
#include "sim/xenstore/oxenstored/service.h"

namespace xenrig::xenstore {
namespace {

/// oxenstored has no other words for these requests.
Answer<> answer_of(const oxen::Outcome<>& done) {
    if (done) return {};
    return std::unexpected(done.error() == "ENOENT" ? Errno::noent : Errno::inval);
}

}  // namespace

Answer<Domain*> Daemon::Impl::connected(DomId id) {
    Domain* domain = store.domains().find(id.value);
    if (domain == nullptr || !domain->introduced) return std::unexpected(Errno::noent);
    return domain;
}

bool Daemon::Impl::is_introduced(DomId id) const {
    const Domain* domain = const_cast<Impl*>(this)->store.domains().find(id.value);
    return domain != nullptr && domain->introduced;
}

Connection& Daemon::Impl::connect_ring(Domain& domain, std::unique_ptr<RingTransport> ring, Port port) {
    Connection& connection = add(*ring);
    connection.belong_to(domain, std::move(ring));
    connection.port = port;
    rings.emplace(connection.id(), &connection);
    domain.introduced = true;
    domain.shutdown = false;
    domain.connection = &connection;
    return connection;
}

Answer<> Daemon::Impl::introduce(DomId id, Port remote) {
    if (oxenstored != nullptr) return answer_of(oxenstored->introduce(id.value, 0, remote.value));
    Domain* domain = store.domains().find(id.value);
    if (domain != nullptr && domain->connection != nullptr) {
        // The toolstack makes a new event channel, or a guest that was saved has been restored.
        environment.rebind_ring(id, remote);
        domain->connection->port = remote;
    } else {
        auto ring = environment.map_ring(id, remote);
        // Dom0 is there from the beginning, with or without a ring.
        if (!ring && id.value == 0) return {};
        if (!ring) return std::unexpected(ring.error().code);
        if (domain == nullptr) domain = &store.domains().add(id, store.generation());
        connect_ring(*domain, std::move(*ring), remote);
        if (id.value != 0) store.special_event(kIntroduceDomain, id, true, true);
    }
    Connection& connection = *domain->connection;
    empty(connection);
    connection.ring()->set_features(domain->features);
    connection.ring()->reset();
    return {};
}

/// The domain's nodes, its ring and its name go, and everybody who may is told.
void Daemon::Impl::end_domain(Connection& connection) {
    const DomId id = connection.domain_id();
    if (oxenstored != nullptr) return oxenstored->end_domain(connection);
    empty(connection);
    active.erase(connection);
    rings.erase(connection.id());
    store.remove_nodes_of(id);
    connections.erase(connection.id());
    store.domains().remove(id);
    environment.unmap_ring(id);
    store.special_event(kReleaseDomain, id, true, true);
}

void Daemon::Impl::end_ring(Connection& connection) {
    if (connection.id() == looking_at_)
        ends_next_ = connection.id();
    else
        end_domain(connection);
}

Answer<> Daemon::Impl::release(DomId id) {
    if (oxenstored != nullptr) return answer_of(oxenstored->release(id.value));
    if (id.value == 0) return std::unexpected(Errno::inval);
    const auto domain = connected(id);
    if (!domain) return std::unexpected(domain.error());
    Connection& connection = *(*domain)->connection;
    store.drop_watches(connection);
    const auto next = connections.upper_bound(looking_at_);
    if (looking_at_ != 0 && next != connections.end() && next->second.get() == &connection)
        ends_next_ = connection.id();
    else
        end_domain(connection);
    return {};
}

Answer<> Daemon::Impl::resume(DomId id) {
    if (oxenstored != nullptr) return answer_of(oxenstored->resume(id.value));
    if (id.value == 0) return std::unexpected(Errno::inval);
    const auto domain = connected(id);
    if (!domain) return std::unexpected(domain.error());
    (*domain)->shutdown = false;
    return {};
}

Answer<> Daemon::Impl::set_target(DomId id, DomId target) {
    if (oxenstored != nullptr) return answer_of(oxenstored->set_target(id.value, target.value));
    const auto domain = connected(id);
    if (!domain) return std::unexpected(domain.error());
    if (const auto other = connected(target); !other) return std::unexpected(other.error());
    if (Connection* connection = (*domain)->connection) connection->target = target;
    return {};
}

void Daemon::Impl::check_domains() {
    if (oxenstored != nullptr) return oxenstored->check_domains();
    bool any_shutdown = false;
    for (std::uint32_t i = 1; i < store.domains().end(); ++i) {
        Domain* domain = store.domains().find(i);
        if (domain == nullptr) continue;
        const DomainState state = environment.domain_state(domain->id);
        if (!domain->introduced) {
            if (state != DomainState::missing) continue;
            store.remove_nodes_of(domain->id);
            store.domains().remove(domain->id);
            continue;
        }
        if (state == DomainState::shutdown && !domain->shutdown) {
            domain->shutdown = true;
            store.special_event(kReleaseDomain, domain->id, false, true);
            any_shutdown = true;
        }
        if (state == DomainState::dying || state == DomainState::missing) {
            end_domain(*domain->connection);
            any_shutdown = false;  // its own event says as much
        }
    }
    if (any_shutdown) store.special_event(kReleaseDomain, DomId(0), true, false);
}

}  // namespace xenrig::xenstore
