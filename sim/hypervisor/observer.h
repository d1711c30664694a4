// Who hears what the hypervisor does, with the identities that ledgers and oracles need.
//
// Called inside the hypervisor, after the fact, in the order of the facts; must not call back into it. One a host, null
// by default. Numbers are those of the domain that is named first.
#pragma once

#include <cstdint>

#include "xenrig/abi/hypercall.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

enum class PortUse : std::uint8_t { reserved, free, unbound, interdomain, pirq, virq, ipi };
enum class PinUse : std::uint8_t { map, copy };

struct GrantPin {
    DomId owner;
    GrantRef ref;
    DomId by;
    Mfn mfn;
    bool writable;
    PinUse use;
};

struct GrantMapping {
    DomId by;
    GrantHandle handle;
    Gfn at;
    DomId owner;
    GrantRef ref;
    Mfn mfn;
    bool writable;
};

/// What became of a notification; all but `delivered` and `was_pending` leave the target as it was.
enum class Sent : std::uint8_t { delivered, was_pending, to_nobody, refused };

class Observer {
public:
    virtual ~Observer() = default;

    virtual void domain_created(DomId) {}
    /// From here on its hypercalls are refused; what it held is released next.
    virtual void domain_killed(DomId) {}
    virtual void domain_destroyed(DomId) {}
    /// `reason` is a SHUTDOWN_* of sched.h.
    virtual void domain_shut_down(DomId, unsigned /*reason*/) {}
    virtual void domain_resumed(DomId) {}

    virtual void frame_allocated(Mfn, DomId /*owner*/) {}
    virtual void frame_freed(Mfn, DomId /*last owner*/) {}
    virtual void frame_assigned(Mfn, DomId /*from*/, DomId /*to*/) {}
    virtual void physmap_changed(DomId, Gfn, Mfn /*all ones: nothing there now*/) {}

    virtual void grant_pinned(const GrantPin&) {}
    virtual void grant_unpinned(const GrantPin&) {}
    virtual void mapped(const GrantMapping&) {}
    virtual void unmapped(const GrantMapping&) {}
    virtual void copied(DomId /*by*/, Mfn /*from*/, Mfn /*to*/, std::uint16_t /*bytes*/) {}

    virtual void port_allocated(DomId, Port, PortUse) {}
    virtual void port_bound(DomId, Port, DomId /*remote*/, Port /*remote*/) {}
    virtual void port_closed(DomId, Port, PortUse /*was*/) {}
    /// `use` is what the sender's port was: reserved and free are stale numbers.
    virtual void port_sent(DomId, Port, PortUse /*use*/, Sent) {}

    virtual void hypercall_begins(DomId, VcpuId, unsigned /*number*/, const HypercallArgs&) {}
    virtual void hypercall_ends(DomId, VcpuId, unsigned /*number*/, const HypercallArgs&, std::int64_t /*result*/) {}
    /// By a domain that is dead or dying: it has no effect.
    virtual void hypercall_refused(DomId, VcpuId, unsigned /*number*/) {}
};

}  // namespace xenrig::hypervisor
