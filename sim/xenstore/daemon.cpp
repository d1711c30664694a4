#include "sim/xenstore/daemon.h"

#include "sim/xenstore/daemon_impl.h"
#include "sim/xenstore/oxenstored/service.h"

namespace xenrig::xenstore {

Daemon::Impl::Impl(Environment& env, DaemonConfig how) : environment(env), config(std::move(how)), store(env) {
    if (config.personality == Personality::o) oxenstored = std::make_unique<oxen::Service>(*this);
}

Daemon::Impl::~Impl() {
    for (auto& [id, connection] : connections) {
        empty(*connection);
        if (connection->ring() == nullptr) connection->transport().broken(RingFault::none);
    }
}

Connection& Daemon::Impl::add(Transport& transport) {
    const std::uint64_t id = ++last_connection_;
    auto connection = std::make_unique<Connection>(id, transport, store.domains(), active);
    connection->reads_as_oxenstored = oxenstored != nullptr;
    return *connections.emplace(id, std::move(connection)).first->second;
}

Connection& Daemon::Impl::connect(Transport& transport) { return add(transport); }

/// Nothing of it is left but the object.
void Daemon::Impl::empty(Connection& connection) {
    store.drop_watches(connection);
    store.drop_transactions(connection);
    connection.snapshots.clear();
    connection.clear();
}

void Daemon::Impl::remove(Connection& connection) {
    if (oxenstored != nullptr) oxenstored->forget(connection);
    if (update_session == connection.id()) update_session = 0;
    empty(connection);
    active.erase(connection);
    rings.erase(connection.id());
    connections.erase(connection.id());
}

void Daemon::Impl::disconnect(Connection& connection) { remove(connection); }

void Daemon::Impl::break_off(Connection& connection, RingFault why) {
    Transport& transport = connection.transport();
    if (connection.ring() == nullptr) {
        disconnect(connection);
    } else {
        connection.broken = true;
        rings.erase(connection.id());
        empty(connection);
        active.erase(connection);
    }
    transport.broken(why);
}

bool Daemon::Impl::may_read(Connection& connection) {
    if (oxenstored != nullptr && !oxenstored->may_ask(connection)) return false;
    if (connection.ring() == nullptr) return connection.may_read;
    const Domain& domain = *connection.domain();
    if (domain.exceeds(Quota::outstanding, domain.usage[Quota::outstanding])) return false;
    if (domain.exceeds(Quota::memory, domain.usage[Quota::memory])) return false;
    return connection.transport().can_read();
}

/// Whether anything moved. The connection may be gone afterwards.
bool Daemon::Impl::receive(Connection& connection) {
    if (!may_read(connection)) return false;
    const auto progress = connection.receive();
    if (!progress) {
        break_off(connection, progress.error());
        return true;
    }
    if (*progress == Progress::whole) {
        ++messages_;
        connection.request_done();
        if (oxenstored == nullptr)
            answer(connection);
        else
            oxenstored->answer(connection);
    }
    return *progress != Progress::none;
}

bool Daemon::Impl::send(Connection& connection) {
    if (!connection.has_output()) return false;
    if (connection.ring() == nullptr && !connection.may_write) return false;
    if (!connection.privileged()) connection.expire(environment.now());
    if (!connection.has_output() || !connection.transport().can_write()) return false;
    const std::uint64_t before = connection.sent_messages();
    const auto moved = connection.send();
    messages_ += connection.sent_messages() - before;
    if (!moved) break_off(connection, moved.error());
    return !moved || *moved;
}

bool Daemon::Impl::look_at(Connection& connection) {
    const std::uint64_t id = connection.id();
    looking_at_ = id;
    if (oxenstored != nullptr) oxenstored->reconnect(connection);
    bool moved = !connection.broken && receive(connection);
    const auto alive = [&] { return connections.contains(id); };
    if (alive() && !connection.broken) moved |= send(connection);
    if (alive() && !moved) {
        Transport& transport = connection.transport();
        const bool waits = connection.has_output() && transport.can_write();
        if (!waits && (connection.ring() != nullptr || !transport.can_read())) active.erase(connection);
    }
    looking_at_ = 0;
    if (ends_next_) {
        const auto next = connections.find(*ends_next_);
        ends_next_.reset();
        if (next != connections.end()) end_domain(*next->second);
    }
    return moved;
}

bool Daemon::Impl::pass() {
    // What a poll of the sockets would find now; rings are looked at when their turn comes.
    for (Connection* connection : active.all()) {
        if (connection->ring() != nullptr) continue;
        Transport& transport = connection->transport();
        connection->may_read = transport.can_read();
        connection->may_write = connection->has_output() && transport.can_write();
    }
    bool moved = false;
    for (std::uint64_t id = 0; Connection* connection = active.after(id);) {
        id = connection->id();
        moved |= look_at(*connection);
    }
    return moved;
}

bool Daemon::Impl::service() {
    if (serving_) {
        again_ = true;
        return false;
    }
    serving_ = true;
    bool moved = false;
    do {
        again_ = false;
        for (auto& [id, connection] : rings) active.insert(*connection);
        while (pass()) moved = true;
    } while (again_);
    serving_ = false;
    return moved;
}

namespace {

Result<> result_of(const Answer<>& answer) {
    if (answer) return {};
    return fail(answer.error());
}

}  // namespace

Daemon::Daemon(Environment& environment, DaemonConfig config)
    : impl_(std::make_unique<Impl>(environment, std::move(config))) {}
Daemon::~Daemon() = default;

Connection& Daemon::connect(Transport& transport) { return impl_->connect(transport); }
void Daemon::disconnect(Connection& connection) { impl_->disconnect(connection); }
void Daemon::wake(Connection& connection) { impl_->active.insert(connection); }
Result<> Daemon::introduce(DomId domain, Port remote) { return result_of(impl_->introduce(domain, remote)); }
Result<> Daemon::release(DomId domain) { return result_of(impl_->release(domain)); }
Result<> Daemon::resume(DomId domain) { return result_of(impl_->resume(domain)); }
Result<> Daemon::set_target(DomId domain, DomId target) { return result_of(impl_->set_target(domain, target)); }
void Daemon::check_domains() { impl_->check_domains(); }
bool Daemon::service() { return impl_->service(); }
StateImage Daemon::image() { return impl_->image(); }
StateImage Daemon::image(DomId domain) { return impl_->image(domain); }
Result<> Daemon::adopt(const StateImage& image, const std::function<Transport*(std::uint32_t)>& socket) {
    return result_of(impl_->adopt(image, socket));
}
Result<> Daemon::adopt_guest(const StateImage& image, DomId domain) {
    return result_of(impl_->adopt_guest(image, domain));
}
std::uint64_t Daemon::messages() const { return impl_->messages(); }
Store& Daemon::store() { return impl_->store; }

}  // namespace xenrig::xenstore
