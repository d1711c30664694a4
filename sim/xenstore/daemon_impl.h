// The inside of the daemon: its connections, the pass over them, and the life of domains.
//
// A connection ends in one of three ways: a client hangs up, a message or an index is impossible, or its domain goes.
// xenstored holds on to the connection that its loop will look at next, so a RELEASE of just that one takes effect
// after the reply to it, and of any other one before (core.c, main).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/xenstore/active.h"
#include "sim/xenstore/connection.h"
#include "sim/xenstore/daemon.h"
#include "sim/xenstore/state_image.h"
#include "sim/xenstore/store.h"

namespace xenrig::xenstore {

namespace oxen {
class Service;
}

struct Daemon::Impl {
    Impl(Environment& environment, DaemonConfig config);
    ~Impl();

    // daemon.cpp
    Connection& connect(Transport& transport);
    void disconnect(Connection& connection);
    bool service();
    std::uint64_t messages() const { return messages_; }

    // lifecycle.cpp
    Connection& connect_ring(Domain& domain, std::unique_ptr<RingTransport> ring, Port port);
    Answer<> introduce(DomId id, Port remote);
    Answer<> release(DomId id);
    Answer<> resume(DomId id);
    Answer<> set_target(DomId id, DomId target);
    bool is_introduced(DomId id) const;
    /// Takes a connection out without a word to anybody.
    void remove(Connection& connection);
    /// Its watches, transactions and messages are gone; the connection stays.
    void empty(Connection& connection);
    /// A domain's end with all that belongs to it; while the connection itself is being looked at, right after that.
    void end_ring(Connection& connection);
    void check_domains();

    // live_update.cpp
    StateImage image();
    StateImage image(DomId id);
    Answer<> adopt(const StateImage& image, const std::function<Transport*(std::uint32_t)>& socket);
    Answer<> adopt_guest(const StateImage& image, DomId id);

    // requests.cpp
    void answer(Connection& connection);
    // control.cpp
    Answer<> control(Connection& connection, std::string_view payload);
    // live_update_command.cpp
    Answer<std::string> live_update(const Connection& caller, std::span<const std::string_view> arguments);

    Environment& environment;
    const DaemonConfig config;
    Store store;
    std::map<std::uint64_t, std::unique_ptr<Connection>> connections;
    std::map<std::uint64_t, Connection*> rings;  ///< those of them that are rings and not broken
    ActiveSet active;
    std::uint64_t update_session = 0;  ///< the connection that prepares a live update; 0 for none
    /// Answers in the place of this one's own requests when the daemon is oxenstored; null otherwise.
    std::unique_ptr<oxen::Service> oxenstored;

private:
    bool pass();
    bool look_at(Connection& connection);
    bool receive(Connection& connection);
    bool send(Connection& connection);
    bool may_read(Connection& connection);
    void break_off(Connection& connection, RingFault why);
    Connection& add(Transport& transport);
    void end_domain(Connection& connection);
    Answer<Domain*> connected(DomId id);

    std::uint64_t last_connection_ = 0;
    std::uint64_t looking_at_ = 0;            ///< in a pass: the id of the connection whose turn it is
    std::optional<std::uint64_t> ends_next_;  ///< the connection after it, released while its turn lasted
    bool serving_ = false;
    std::uint64_t messages_ = 0;
    bool again_ = false;
};

}  // namespace xenrig::xenstore
