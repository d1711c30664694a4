// oxenstored: what the daemon answers, and whom it tells, when it has that personality.
//
// It shares the tree, the index of watches, the connections and the doors with the other personality and has its own
// rules for all else. Events are never merged; those of a change go out after the answer to it, those of a
// transaction, of INTRODUCE and of RELEASE before. Sources: process.ml, connection.ml, connections.ml, domains.ml of
// tools/ocaml/xenstored, and what oxenstored 4.17 was seen to answer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "sim/xenstore/daemon_impl.h"
#include "sim/xenstore/oxenstored/transaction.h"

namespace xenrig::xenstore::oxen {

class Service {
public:
    explicit Service(Daemon::Impl& daemon);

    void answer(Connection& connection);
    /// Whether the connection may send a request: not while its answers, or the events that it caused, wait in a
    /// queue that nobody reads.
    bool may_ask(const Connection& connection);
    /// The connection is about to go.
    void forget(const Connection& connection) { held_up_by_.erase(connection.id()); }

    // requests.cpp
    /// The answer to one request. What it changes is noted in `work`, to be told afterwards.
    Response respond(Connection& connection, std::uint32_t type, std::string_view payload, Work& work);

    // domain_requests.cpp
    Outcome<> introduce(std::int64_t id, std::int64_t frame, std::int64_t port);
    Outcome<> release(std::int64_t id);
    Outcome<> resume(std::int64_t id);
    Outcome<> set_target(std::uint64_t id, std::uint64_t target);
    bool is_introduced(std::int64_t id) const { return domains_.contains(id); }
    void check_domains();
    void end_domain(Connection& connection);
    /// A guest may begin anew on the same ring, as after a kexec.
    void reconnect(Connection& connection);
    /// A domain's ring is there; its page tells the guest what it may do.
    Connection& connect_ring(DomId id, std::unique_ptr<RingTransport> ring, Port port);
    /// Empty for an "OK".
    std::string control(const Connection& connection, std::string_view payload, const Version& version) const;

    // restore.cpp
    void restore_nodes(const std::vector<NodeImage>& nodes);
    Connection& restore_domain(DomId id, std::unique_ptr<RingTransport> ring, Port port);
    /// It ends with EAGAIN.
    void restore_transaction(Connection& connection, std::uint32_t id);

    // watches.cpp
    Outcome<const Watch*> watch(Connection& connection, std::string_view path, std::string_view token);
    Outcome<> unwatch(Connection& connection, std::string_view path, std::string_view token);
    /// False when oxenstored stumbles over the path and answers EIO.
    bool tell(Connection* source, const Work& work);
    /// ENOENT when somebody has removed the special node.
    Outcome<> tell_special(std::string_view name);
    void event(Connection* source, const Watch& watch, std::string_view path);

    Version live() { return Version(daemon_.store.tree(), counts_); }

private:
    /// A stream does not tell the frame: the first INTRODUCE does.
    static constexpr std::int64_t kUnknownFrame = -1;
    struct Known {
        std::int64_t frame;
        std::int64_t port;
    };

    bool replay(Connection& connection, const Transaction& transaction);
    Outcome<> end_transaction(Connection& connection, Work& work, std::string_view payload);
    Outcome<std::uint32_t> start_transaction(Connection& connection);
    bool crowded(std::uint64_t id) const;

    Daemon::Impl& daemon_;
    NodeCounts counts_;
    std::map<std::int64_t, Known> domains_;
    /// Connections whose requests wait until somebody has read the events that they caused.
    std::map<std::uint64_t, std::set<std::uint64_t>> held_up_by_;
};

Identity identity_of(const Connection& connection);

}  // namespace xenrig::xenstore::oxen
