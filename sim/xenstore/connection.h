// One client of the daemon: who it is, the message it is sending, the messages that wait for it, its watches and
// transactions.
//
// A socket's client is dom0 and privileged; a ring's is the domain that owns the page. What a guest leaves unread is
// bounded by its quotas: replies by the outstanding requests, and events by merging and by memory.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "sim/xenstore/transport.h"
#include "sim/xenstore/watches.h"
#include "sim/xenstore/wire.h"
#include "xenrig/abi/types.h"

namespace xenrig::xenstore {

struct Domain;
class ActiveSet;
class Domains;
class Transaction;

namespace oxen {
struct Transaction;
}

/// What a look at a transport brought.
enum class Progress : std::uint8_t { none, some, whole };

/// A guest's request, as long as its reply or an event that it caused waits somewhere: it counts as outstanding.
struct Request {
    DomId domain;
    unsigned events = 0;
    bool answered = false;  ///< the reply has left
};

class Connection {
public:
    Connection(std::uint64_t id, Transport& transport, Domains& domains, ActiveSet& active);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    /// Counts connections; the order in which the daemon looks at them.
    std::uint64_t id() const { return id_; }
    DomId domain_id() const { return domain_id_; }
    bool privileged() const { return domain_id_.value == 0; }
    /// Whose ring it is; null for a socket.
    Domain* domain() const { return domain_; }
    Transport& transport() { return transport_; }
    /// Where relative paths begin.
    const std::string& home() const { return home_; }

    /// Makes it the ring connection of a domain.
    void belong_to(Domain& domain, std::unique_ptr<RingTransport> transport);
    RingTransport* ring() const { return ring_.get(); }

    // The message that comes in, and the messages that go out: connection.cpp.

    /// Reads what there is of one message. When it is whole, it is in request() and payload().
    std::expected<Progress, RingFault> receive();
    const xsd_sockmsg& request() const { return header_in_; }
    std::string_view payload() const { return {payload_in_.data(), header_in_.len}; }
    void request_done() { received_ = 0; }

    void reply(std::uint32_t type, std::string_view payload);
    /// Queues a watch event, unless an equal one still waits. `cause` is the guest's request that it is charged to.
    void event(std::string_view path, std::string_view token, const std::shared_ptr<Request>& cause,
               Nanoseconds deadline);
    /// Writes what the transport takes of the first message; true when that was something.
    std::expected<bool, RingFault> send();
    /// Queues a message as oxenstored does: a socket takes any length, a ring E2BIG in the place of more than 4096
    /// bytes.
    void packet(std::uint32_t type, std::uint32_t req_id, std::uint32_t tx_id, std::string_view payload);
    /// Messages that wait.
    std::size_t waiting() const { return out_.size(); }
    bool has_output() const { return !out_.empty(); }
    /// What they take of our memory.
    std::size_t waiting_bytes() const { return waiting_bytes_; }
    std::uint64_t sent_messages() const { return sent_messages_; }
    /// Drops events that a guest has left unread past their deadline.
    void expire(Nanoseconds now);
    /// Nothing waits any more, in neither direction.
    void clear();
    /// Bytes that wait to be written, for a dump: what the transport has not yet taken.
    std::string pending_output() const;
    /// As many of them are the rest of a message that has begun to go out.
    std::size_t pending_rest() const;
    std::string pending_input() const;
    /// Continues where a dump left off; `out` is `rest` bytes and whole messages.
    void restore(std::string_view in, std::string_view out, std::size_t rest);

    std::map<std::uint64_t, Watch> watches;  ///< by order of registration
    std::map<std::uint32_t, std::unique_ptr<Transaction>> transactions;
    std::map<std::uint32_t, std::shared_ptr<oxen::Transaction>> snapshots;  ///< oxenstored's
    std::uint32_t next_transaction = 1;
    Port port{};                       ///< of a ring, as INTRODUCE named it
    std::optional<DomId> target;       ///< SET_TARGET: it may do what that domain may
    std::shared_ptr<Request> current;  ///< of the guest's request that is being answered
    bool broken = false;               ///< a ring that is not served any more
    bool is_active = false;            ///< the daemon has something to look at (active.h)
    bool may_read = false;             ///< what the poll at the start of the pass found
    bool may_write = false;
    /// As oxenstored reads: a length over 4096 counts as 4096, and a socket's message without a payload is whole only
    /// when more bytes come.
    bool reads_as_oxenstored = false;

private:
    struct Message {
        std::array<char, kHeaderSize> header;
        std::string payload;
        bool event = false;
        std::shared_ptr<Request> request;
        Nanoseconds deadline;
    };
    void queue(std::uint32_t type, std::uint32_t req_id, std::uint32_t tx_id, std::string_view payload, bool event,
               std::shared_ptr<Request> request, Nanoseconds deadline);
    /// A message has left or is dropped: what it was charged for is given back.
    void settle(const Message& message);
    void settle_first();
    static bool may_be_merged(const Message& message);

    Transport& transport_;
    Domains& domains_;
    ActiveSet& active_;
    std::unique_ptr<RingTransport> ring_;
    std::uint64_t id_;
    DomId domain_id_;
    Domain* domain_ = nullptr;
    std::string home_ = "/local/domain/0";

    xsd_sockmsg header_in_{};
    std::string payload_in_;
    std::size_t received_ = 0;  ///< bytes of header and payload

    std::deque<Message> out_;
    /// The payloads of the events that wait, of those that may be merged. They are views of what out_ holds.
    std::unordered_set<std::string_view> waiting_events_;
    std::size_t waiting_bytes_ = 0;
    std::uint64_t sent_messages_ = 0;
    std::size_t sent_ = 0;      ///< bytes of the first message
    bool header_sent_ = false;  ///< a socket's payload goes out in the next pass
};

}  // namespace xenrig::xenstore
