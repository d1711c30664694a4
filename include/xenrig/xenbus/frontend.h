// The life of a frontend: what it does at each step of the handshake, and when (blkif.h, "STATE DIAGRAMS").
//
// A driver implements the steps; the order is here, once for all drivers. Steps run in the device's service task, one
// at a time, and may block. An error that a step returns closes the device and stands in its error node.
#pragma once

#include "xenrig/xenbus/device.h"
#include "xenrig/xenbus/endpoint.h"

namespace xenrig::xenbus {

class FrontendDriver {
public:
    virtual ~FrontendDriver() = default;

    /// Makes rings, grants and ports for this backend, in place of any that it has. The backend has published what it
    /// offers.
    virtual Result<> allocate(const Endpoint& device) = 0;
    /// Writes the nodes of what was allocated. May run several times: a transaction is repeated.
    virtual Result<> publish(const Endpoint& device, StoreTx tx) = 0;
    /// The backend is connected: reads its properties and begins to work. May run again before the state is written.
    virtual Result<> connect(const Endpoint& device) = 0;
    /// Both are connected, and the backend wrote its state once more: so it tells of new properties. May come without
    /// cause.
    virtual Result<> backend_changed(const Endpoint& device) = 0;

    /// Gives the backend no new work. True when it has none any more; becoming true later is worth a poke.
    virtual bool quiesce() = 0;
    /// Gives rings, grants and ports back and fails with `why` what has no answer yet. Idempotent, whatever came
    /// before.
    virtual void disconnect(const Error& why) = 0;

    /// The domain is about to be suspended: touches no shared page from now on.
    virtual void suspend() = 0;
    /// It was not suspended after all: goes on as if nothing had been.
    virtual void cancel_suspend() = 0;
    /// It was, and this is another epoch: rings, grants and ports are dead. What was in flight is kept, in order, for
    /// the next connect(). Called from every state, connected or not.
    virtual void resume() = 0;
};

/// The rule of the frontend's states:
///
///     own            backend                      does
///     Initialising   InitWait, Initialised        allocate, publish -> Initialised
///     Initialising   Connected                    the same, and goes on
///     Initialised    Connected                    connect -> Connected
///     Connected      Connected, once more         backend_changed
///     before Closing Closing                      -> Closing
///     from Initialised on  Closed                 -> Closing
///     Closing        (nothing in flight) or Closed or no state at all   disconnect -> Closed
///
/// All else is waited out: a backend in Initialising, in Reconfiguring, with no state node, or Closed before the
/// handshake began (a former life of it).
class Frontend final : public Handshake {
public:
    Frontend(Endpoint& device, FrontendDriver& driver) : device_(device), driver_(driver) {}

    Result<> begin() override;
    Result<> step() override;
    void failed(const Error& why) override;
    void gone(const Error& why) override;
    void suspend() override { driver_.suspend(); }
    void cancel_suspend() override { driver_.cancel_suspend(); }
    void resume() override { driver_.resume(); }

private:
    Result<> open();
    Result<> close(State backend);

    Endpoint& device_;
    FrontendDriver& driver_;
    Error why_closed_{Errno::nodev, "the backend closed the device"};
    /// When the properties were last read.
    std::uint64_t read_at_look_ = 0;
};

}  // namespace xenrig::xenbus
