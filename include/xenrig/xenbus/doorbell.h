// A ring's event channel and the service that it wakes.
//
// An event masks its port until the service has done what there was to do and rearms it: a peer that sends events
// without end costs one upcall for each run of the service, not one for each event (XSA-332, XSA-391).
#pragma once

#include <memory>

#include "xenrig/platform/events.h"
#include "xenrig/xenbus/service.h"

namespace xenrig::xenbus {

class Doorbell {
public:
    Doorbell() = default;
    /// A port for `peer` to bind to.
    static Result<Doorbell> allocate(Events& events, DomId peer, Service::Poke poke);
    /// Connects to the peer's port. It is pending at once, so the service runs.
    static Result<Doorbell> bind(Events& events, DomId peer, Port port, Service::Poke poke);
    Doorbell(Doorbell&&) noexcept = default;
    Doorbell& operator=(Doorbell&& other) noexcept;
    ~Doorbell() { close(); }

    explicit operator bool() const { return shared_ != nullptr; }
    Port port() const;

    /// Sends an event. A peer that is gone is no error: its device's state says so, not this. EINVAL when the port is
    /// none of ours any more, and then nobody will ever be told.
    Result<> notify();
    /// Lets events come again. Look at the ring once more after it: RING_FINAL_CHECK.
    void rearm();
    /// On return the handler is not running and will not run.
    void close();

private:
    struct Shared;
    explicit Doorbell(std::shared_ptr<Shared> shared);
    static void ring(Shared& shared);

    std::shared_ptr<Shared> shared_;
};

}  // namespace xenrig::xenbus
