// xenstored in process: the store, its connections, and the loop that serves them in xenstored's own order.
//
// One pass looks at every connection in the order in which they came: it takes at most one message from each and writes
// at most one to each, so which of two identical events is still unsent, and is merged, is as in the real daemon. The
// reference is C xenstored's development head; oxenstored is the other personality. docs/fidelity.md tells what is left
// out of either, and why.
//
// Threads: one task at a time is in service() or any call that changes connections; StreamDoor::feed() may be called
// at any time. Nothing here reads a clock or a hash table's order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "sim/xenstore/environment.h"
#include "sim/xenstore/personality.h"
#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"

namespace xenrig::xenstore {

class Connection;
class Store;
struct StateImage;

struct DaemonConfig {
    Personality personality = Personality::c;
    /// CONTROL live-update was asked for: called within service(), when the answer is queued next. Whoever serves the
    /// daemon hands its image to a fresh one after that. Refused without it.
    std::function<void()> live_update{};
};

class Daemon {
public:
    /// The personality is a supported one. The environment must outlive the daemon. The store begins with what
    /// xenstored begins with: /tool/xenstored.
    explicit Daemon(Environment& environment, DaemonConfig config = {});
    /// Hangs up on every stream. Rings are let go without unmap_ring(): another daemon may go on with them.
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// A privileged connection (a socket in dom0); `transport` must outlive it.
    Connection& connect(Transport& transport);
    /// The client is gone: its watches, transactions and unread messages go with it.
    void disconnect(Connection& connection);

    /// The toolstack's requests without a connection, with the same effects and errors as on the wire.
    Result<> introduce(DomId domain, Port remote);
    Result<> release(DomId domain);
    Result<> resume(DomId domain);
    Result<> set_target(DomId domain, DomId target);
    /// VIRQ_DOM_EXC: a domain has shut down or died. Asks the environment about each that the store knows.
    void check_domains();

    /// Looks at every ring and stream and passes until nothing moves any more. Call it after every event of a ring's
    /// port and after every feed(). Returns whether anything moved.
    bool service();

    /// A stream has new bytes or new room. StreamDoor calls it; service() looks at rings by itself.
    void wake(Connection& connection);

    /// All that another daemon needs to go on from here (state_image.h: encode). Serve no more with this one then.
    StateImage image();
    /// What moves with a domain: its connection, its watches and the nodes below its home.
    StateImage image(DomId domain);
    /// Goes on from the image of another daemon; this one is new. Rings are mapped again and go on where their indices
    /// are; `socket` gives the transport of a socket's client by its number in the image, or null if it has gone.
    /// Transactions that were open end with EAGAIN. EINVAL, and nothing changed, for the image of a part.
    Result<> adopt(const StateImage& image, const std::function<Transport*(std::uint32_t)>& socket);
    /// Gives an introduced domain the watches and the half messages that it had elsewhere; EINVAL from oxenstored.
    Result<> adopt_guest(const StateImage& image, DomId domain);

    /// Requests that came in, and answers and events that went out whole.
    std::uint64_t messages() const;

    Store& store();

    struct Impl;

private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace xenrig::xenstore
