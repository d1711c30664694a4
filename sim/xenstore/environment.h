// What xenstored asks of Xen: whether a domain lives, and its ring page.
//
// Implemented by whoever runs the daemon: the dom0 kernel's store service in a simulated world, or a stub when the
// daemon serves a socket alone. Calls come from within Daemon's own calls, so an implementation must not call back
// into the daemon.
#pragma once

#include <cstdint>
#include <memory>

#include "sim/xenstore/transport.h"
#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"

namespace xenrig::xenstore {

/// XEN_DOMCTL_getdomaininfo, as far as the store cares.
enum class DomainState : std::uint8_t { missing, alive, shutdown, dying };

class Environment {
public:
    virtual ~Environment() = default;

    virtual DomainState domain_state(DomId) = 0;

    /// INTRODUCE: maps the domain's ring page (grant GNTTAB_RESERVED_XENSTORE) and binds its unbound port `remote`.
    /// The daemon owns the transport and destroys it before it calls unmap_ring(). An error is INTRODUCE's answer.
    virtual Result<std::unique_ptr<RingTransport>> map_ring(DomId, Port remote) = 0;
    /// INTRODUCE of a connected domain: only the event channel is bound anew.
    virtual void rebind_ring(DomId, Port remote) = 0;
    /// RELEASE, or the domain is gone: the port is unbound and the page unmapped.
    virtual void unmap_ring(DomId) = 0;

    /// Virtual or monotonic time: events that a guest leaves unread are dropped after 20 seconds of it.
    virtual Nanoseconds now() { return {}; }
};

/// For a daemon that serves sockets alone: no domain exists but dom0.
class NoDomains : public Environment {
public:
    DomainState domain_state(DomId d) override { return d.value == 0 ? DomainState::alive : DomainState::missing; }
    Result<std::unique_ptr<RingTransport>> map_ring(DomId, Port) override { return fail(Errno::inval); }
    void rebind_ring(DomId, Port) override {}
    void unmap_ring(DomId) override {}
};

}  // namespace xenrig::xenstore
