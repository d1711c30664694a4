// What an observer of the hypervisor takes to be alive.
#pragma once

#include "sim/hypervisor/observer.h"

namespace xenrig::test {

/// What is alive, as a ledger sees it.
struct Living final : hypervisor::Observer {
    void frame_allocated(Mfn, DomId) override { ++frames; }
    void frame_freed(Mfn, DomId) override { --frames; }
    void mapped(const hypervisor::GrantMapping&) override { ++maps; }
    void unmapped(const hypervisor::GrantMapping&) override { --maps; }
    void grant_pinned(const hypervisor::GrantPin&) override { ++pins; }
    void grant_unpinned(const hypervisor::GrantPin&) override { --pins; }
    void port_allocated(DomId, Port, hypervisor::PortUse) override { ++ports; }
    void port_closed(DomId, Port, hypervisor::PortUse) override { --ports; }
    void domain_created(DomId) override { ++domains; }
    void domain_destroyed(DomId) override { --domains; }
    int frames = 0, maps = 0, pins = 0, ports = 0, domains = 0;
};

}  // namespace xenrig::test
