// The life of a backend: what it does at each step of the handshake, and when (blkif.h, "STATE DIAGRAMS").
//
// A driver implements the steps; the order is here, once for all drivers. Steps run in the device's service task, one
// at a time, and may block. An error that a step returns closes the device and stands in its error node.
#pragma once

#include "xenrig/xenbus/device.h"
#include "xenrig/xenbus/endpoint.h"

namespace xenrig::xenbus {

class BackendDriver {
public:
    virtual ~BackendDriver() = default;

    /// Opens what stands behind the device (a disk image), as the own directory names it. Idempotent.
    virtual Result<> open(const Endpoint& device) = 0;
    /// Writes what it offers: features and limits. May run several times: a transaction is repeated.
    virtual Result<> advertise(const Endpoint& device, StoreTx tx) = 0;
    /// Reads the frontend's nodes, all of them afresh, maps its rings, binds its ports and begins to serve.
    virtual Result<> connect(const Endpoint& device) = 0;
    /// Writes the device's properties.
    virtual Result<> publish(const Endpoint& device, StoreTx tx) = 0;
    /// Connected, and poked: true when the properties have become others, which are published then, and the state
    /// written once more, for that is what the frontend watches (Linux's xen_vbd_resize).
    virtual Result<bool> refresh(const Endpoint& device) {
        (void)device;
        return false;
    }

    /// Serves no longer, waits for what is in progress, gives rings and ports back. Idempotent.
    virtual void disconnect() = 0;
    /// disconnect(), and closes what stands behind the device. Idempotent.
    virtual void close() = 0;

    /// The own domain is about to be suspended: touches no shared page from now on.
    virtual void suspend() = 0;
    virtual void cancel_suspend() = 0;
};

/// The rule of the backend's states:
///
///     own                   frontend                  does
///     Initialising          any                       open, advertise -> InitWait
///     InitWait, Initialised Initialised, Connected    disconnect, connect, publish -> Connected
///     Connected             Initialising              disconnect, advertise -> InitWait (a guest that was restarted)
///     Connected             Initialised, Connected    refresh, and if there is news: publish -> Connected
///     before Closing        Closing                   -> Closing, at once, whatever is in progress
///     any                   Closed                    disconnect -> Closed
///     any                   no state at all           close -> Closed
///     Closed, online        Initialising              open, advertise -> InitWait
///
/// A toolstack that wants the device closed writes Closing into *our* state node: it stands, the frontend sees it and
/// closes, and then we do.
class Backend final : public Handshake {
public:
    Backend(Endpoint& device, BackendDriver& driver) : device_(device), driver_(driver) {}

    Result<> begin() override;
    Result<> step() override;
    void failed(const Error& why) override;
    void gone(const Error& why) override;
    void suspend() override { driver_.suspend(); }
    void cancel_suspend() override { driver_.cancel_suspend(); }
    void resume() override { driver_.disconnect(); }

private:
    Result<> offer();
    Result<> connect();
    Result<> refresh();
    Result<> closed(State frontend);
    bool online() const;

    Endpoint& device_;
    BackendDriver& driver_;
};

}  // namespace xenrig::xenbus
