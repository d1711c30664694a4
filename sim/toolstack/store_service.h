// xenstored as a service of the control domain: the daemon (sim/xenstore) on grants and event channels of its kernel.
//
// It maps each domain's ring page by the grant reserved for it (GNTTAB_RESERVED_XENSTORE), binds the domain's port, and
// serves when one of them rings or a domain dies (VIRQ_DOM_EXC). Its own domain's ring is a page of its own memory.
//
// Threads: everything that touches the daemon holds lock(), from a task.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "sim/xenstore/daemon.h"
#include "sim/xenstore/environment.h"
#include "xenrig/platform/platform.h"

namespace xenrig::hypervisor {
class Hypervisor;
}

namespace xenrig::toolstack {

class StoreService final : public xenstore::Environment {
public:
    /// `kernel` is the control domain's; both must outlive the service.
    StoreService(Platform& kernel, hypervisor::Hypervisor& xen, DomId self);
    ~StoreService() override;

    /// Introduces the own domain and spawns the service's task. Before the own kernel's first request; from a task.
    Result<> start(Port own_port);

    /// An event came, or something was fed in: serve. From any context.
    void poke();
    /// VIRQ_DOM_EXC came.
    void domain_exception();

    /// What a toolstack asks on its socket; from a task.
    Result<> introduce(DomId domain, Port remote);
    Result<> release(DomId domain);
    /// The domain goes on after a shutdown: the next one is to be told again (XS_RESUME).
    Result<> resume(DomId domain);

    xenstore::Daemon& daemon() { return *daemon_; }
    Lock& lock() { return lock_; }

    // Environment
    xenstore::DomainState domain_state(DomId) override;
    Result<std::unique_ptr<xenstore::RingTransport>> map_ring(DomId, Port remote) override;
    void rebind_ring(DomId, Port remote) override;
    void unmap_ring(DomId) override;
    Nanoseconds now() override { return kernel_.clock().now(); }

private:
    struct Ring {
        Mapping mapping;
        Channel channel;
    };

    void serve();
    Result<Channel> bind(DomId domain, Port remote);

    Platform& kernel_;
    hypervisor::Hypervisor& xen_;
    DomId self_;
    Lock lock_{"xenstored"};
    IrqLock poked_lock_{"xenstored events"};
    WaitQueue poked_{"events of store rings"};
    bool work_ = false;
    bool domains_changed_ = false;
    std::map<DomId, std::shared_ptr<Ring>> rings_;
    std::unique_ptr<xenstore::Daemon> daemon_;
};

}  // namespace xenrig::toolstack
