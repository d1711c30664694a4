#include "xenrig/xenbus/doorbell.h"

#include <mutex>

#include "xenrig/platform/lock.h"

namespace xenrig::xenbus {

struct Doorbell::Shared {
    explicit Shared(Service::Poke p) : poke(std::move(p)) {}

    Service::Poke poke;
    IrqLock lock{"doorbell"};
    // Under the lock: the handler may run before the call that made the channel has returned it.
    Channel channel;
    bool masked = false;
};

Doorbell::Doorbell(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

void Doorbell::ring(Shared& shared) {
    {
        const std::lock_guard held(shared.lock);
        if (shared.channel && !std::exchange(shared.masked, true)) shared.channel.mask();
    }
    shared.poke();
}

Result<Doorbell> Doorbell::allocate(Events& events, DomId peer, Service::Poke poke) {
    auto shared = std::make_shared<Shared>(std::move(poke));
    auto channel = events.alloc_unbound(peer, [s = std::weak_ptr(shared)] {
        if (const auto alive = s.lock()) ring(*alive);
    });
    if (!channel) return std::unexpected(channel.error());
    {
        const std::lock_guard held(shared->lock);
        shared->channel = std::move(*channel);
    }
    return Doorbell(std::move(shared));
}

Result<Doorbell> Doorbell::bind(Events& events, DomId peer, Port port, Service::Poke poke) {
    auto shared = std::make_shared<Shared>(std::move(poke));
    auto channel = events.bind_interdomain(peer, port, [s = std::weak_ptr(shared)] {
        if (const auto alive = s.lock()) ring(*alive);
    });
    if (!channel) return std::unexpected(channel.error());
    {
        const std::lock_guard held(shared->lock);
        shared->channel = std::move(*channel);
    }
    return Doorbell(std::move(shared));
}

Doorbell& Doorbell::operator=(Doorbell&& other) noexcept {
    if (this != &other) {
        close();
        shared_ = std::move(other.shared_);
    }
    return *this;
}

Port Doorbell::port() const { return shared_->channel.port(); }

Result<> Doorbell::notify() { return shared_->channel.notify(); }

void Doorbell::rearm() {
    bool was_masked;
    {
        const std::lock_guard held(shared_->lock);
        was_masked = std::exchange(shared_->masked, false);
    }
    if (was_masked) shared_->channel.unmask();
}

void Doorbell::close() {
    if (!shared_) return;
    Channel channel;
    {
        const std::lock_guard held(shared_->lock);
        channel = std::move(shared_->channel);
    }
    channel.close();
    shared_.reset();
}

}  // namespace xenrig::xenbus
