#include "sim/toolstack/store_service.h"

#include <mutex>

#include "sim/hypervisor/hypervisor.h"
#include "sim/xenstore/ring_door.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/grant_table.h>
#include <xen/hvm/params.h>
}

namespace xenrig::toolstack {

StoreService::StoreService(Platform& kernel, hypervisor::Hypervisor& xen, DomId self)
    : kernel_(kernel), xen_(xen), self_(self), daemon_(std::make_unique<xenstore::Daemon>(*this)) {}

StoreService::~StoreService() = default;

Result<> StoreService::start(Port own_port) {
    // Introducing a domain empties its ring, so it comes before the domain's first request.
    if (auto introduced = introduce(self_, own_port); !introduced) return introduced;
    kernel_.spawn("xenstored", TaskRole::service, [this] {
        for (;;) serve();
    });
    return {};
}

void StoreService::poke() {
    const std::lock_guard held(poked_lock_);
    work_ = true;
    poked_.wake_all();
}

void StoreService::domain_exception() {
    const std::lock_guard held(poked_lock_);
    work_ = true;
    domains_changed_ = true;
    poked_.wake_all();
}

void StoreService::serve() {
    bool domains_changed;
    {
        const std::lock_guard held(poked_lock_);
        poked_.wait(poked_lock_, [this] { return work_; });
        work_ = false;
        domains_changed = std::exchange(domains_changed_, false);
    }
    const std::lock_guard held(lock_);
    if (domains_changed) daemon_->check_domains();
    daemon_->service();
}

Result<> StoreService::introduce(DomId domain, Port remote) {
    const std::lock_guard held(lock_);
    Result<> done = daemon_->introduce(domain, remote);
    // What the guest has written before it was introduced is there to be read, and its watchers are to be told.
    daemon_->service();
    return done;
}

Result<> StoreService::release(DomId domain) {
    const std::lock_guard held(lock_);
    Result<> done = daemon_->release(domain);
    daemon_->service();
    return done;
}

Result<> StoreService::resume(DomId domain) {
    const std::lock_guard held(lock_);
    Result<> done = daemon_->resume(domain);
    daemon_->service();
    return done;
}

xenstore::DomainState StoreService::domain_state(DomId domain) {
    const auto info = xen_.info(domain);
    if (!info) return xenstore::DomainState::missing;
    if (info->dying) return xenstore::DomainState::dying;
    return info->shut_down ? xenstore::DomainState::shutdown : xenstore::DomainState::alive;
}

Result<Channel> StoreService::bind(DomId domain, Port remote) {
    return kernel_.events().bind_interdomain(domain, remote, [this] { poke(); });
}

Result<std::unique_ptr<xenstore::RingTransport>> StoreService::map_ring(DomId domain, Port remote) {
    auto ring = std::make_shared<Ring>();
    shared::Window window;
    if (domain == self_) {
        const auto gfn = xen_.get_param(self_, HVM_PARAM_STORE_PFN);
        if (!gfn) return std::unexpected(gfn.error());
        window = kernel_.memory().window(Gfn{*gfn});
    } else {
        const GrantRef ref{GNTTAB_RESERVED_XENSTORE};
        auto mapping = kernel_.grants().map(domain, std::span(&ref, 1), Access::read_write);
        if (!mapping) return std::unexpected(mapping.error());
        ring->mapping = std::move(*mapping);
        window = ring->mapping.window();
    }
    auto channel = bind(domain, remote);
    if (!channel) return std::unexpected(channel.error());
    ring->channel = std::move(*channel);

    rings_[domain] = ring;
    // A ring whose domain is gone has nobody to notify: the error is the domain's, not ours.
    return std::make_unique<xenstore::RingDoor>(window, [ring] { (void)ring->channel.notify(); });
}

void StoreService::rebind_ring(DomId domain, Port remote) {
    const auto ring = rings_.find(domain);
    if (ring == rings_.end()) return;
    ring->second->channel.close();
    if (auto channel = bind(domain, remote)) ring->second->channel = std::move(*channel);
}

void StoreService::unmap_ring(DomId domain) { rings_.erase(domain); }

}  // namespace xenrig::toolstack
