// Event channels as a driver sees them: a local port with a handler that runs as an upcall.
//
// Handlers never block; they wake a task. A channel is RAII and knows its epoch. After close() or destruction the
// handler is not running and will not run. Source: event_channel.h.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"

namespace xenrig {

class Events;
using EventHandler = std::function<void()>;

class Channel {
public:
    Channel() = default;
    Channel(Events& owner, Port port, std::uint64_t epoch) : owner_(&owner), port_(port), epoch_(epoch) {}
    Channel(Channel&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), port_(other.port_), epoch_(other.epoch_) {}
    Channel& operator=(Channel&& other) noexcept;
    ~Channel() { close(); }

    explicit operator bool() const { return owner_ != nullptr; }
    Port port() const { return port_; }

    /// EVTCHNOP_send. Nothing in a dead epoch. Errors are the hypervisor's: EINVAL when the port is not connected.
    Result<> notify();
    void mask();
    /// Delivers what came in meanwhile.
    void unmask();
    void close();

private:
    Events* owner_ = nullptr;
    Port port_{};
    std::uint64_t epoch_ = 0;
};

class Events {
public:
    virtual ~Events() = default;

    /// A port that `remote` may bind to. The handler is in place before the call returns.
    virtual Result<Channel> alloc_unbound(DomId remote, EventHandler handler) = 0;
    /// Connects to a port that the peer allocated for us. The new local port comes pending, as Xen makes it.
    virtual Result<Channel> bind_interdomain(DomId remote, Port remote_port, EventHandler handler) = 0;

    virtual std::size_t ports_in_use() const = 0;

protected:
    friend class Channel;
    virtual Result<> notify(Port port, std::uint64_t epoch) = 0;
    virtual void set_masked(Port port, std::uint64_t epoch, bool masked) = 0;
    virtual void close(Port port, std::uint64_t epoch) = 0;
};

inline Channel& Channel::operator=(Channel&& other) noexcept {
    if (this != &other) {
        close();
        owner_ = std::exchange(other.owner_, nullptr);
        port_ = other.port_;
        epoch_ = other.epoch_;
    }
    return *this;
}
inline Result<> Channel::notify() {
    return owner_ ? owner_->notify(port_, epoch_) : fail(Errno::badf, "channel is closed");
}
inline void Channel::mask() {
    if (owner_) owner_->set_masked(port_, epoch_, true);
}
inline void Channel::unmask() {
    if (owner_) owner_->set_masked(port_, epoch_, false);
}
inline void Channel::close() {
    if (auto* owner = std::exchange(owner_, nullptr)) owner->close(port_, epoch_);
}

}  // namespace xenrig
