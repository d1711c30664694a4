#include "events.h"

#include <fcntl.h>

#include <mutex>

#include "device.h"
#include "host_errno.h"
#include "poll_thread.h"
#include "xenrig/platform/polite_wait.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::host {

/// Under the lock of the events.
struct HostEvents::Bound {
    EventHandler handler;
    Port port;
    UpcallQueue* where = nullptr;
    bool masked = false;
    /// The device will tell of the next event.
    bool armed = true;
    bool pending = false;
    bool running = false;
    bool closed = false;
};

Result<std::unique_ptr<HostEvents>> HostEvents::open(Scheduler& outside, UpcallQueues& upcalls) {
    if (auto there = check_device("/dev/xen/evtchn", "xen-evtchn"); !there) return std::unexpected(there.error());
    xenevtchn_handle* const device = ::xenevtchn_open(nullptr, 0);
    if (!device) return host_failure("opening /dev/xen/evtchn");
    const int fd = ::xenevtchn_fd(device);
    if (::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) return host_failure("/dev/xen/evtchn");
    return std::unique_ptr<HostEvents>(new HostEvents(device, outside, upcalls));
}

HostEvents::HostEvents(xenevtchn_handle* device, Scheduler& outside, UpcallQueues& upcalls)
    : device_(device),
      upcalls_(upcalls),
      events_(std::make_unique<PollThread>(::xenevtchn_fd(device), outside, [this] { take_events(); })) {}

HostEvents::~HostEvents() { events_.reset(); }

template <class Bind>
Result<Channel> HostEvents::bind(const std::string& what, EventHandler handler, Bind bind_port) {
    auto bound = std::make_shared<Bound>();
    bound->handler = std::move(handler);
    bound->where = &upcalls_.here();
    // An event may come before the port is known here: its taker waits for the lock.
    const std::lock_guard held(lock_);
    const xenevtchn_port_or_error_t port = bind_port();
    if (port < 0) return host_failure(what);
    bound->port = Port(static_cast<std::uint32_t>(port));
    ports_[bound->port] = bound;
    return Channel(*this, bound->port, 1);
}

Result<Channel> HostEvents::alloc_unbound(DomId remote, EventHandler handler) {
    return bind("an event channel for domain " + std::to_string(remote.value), std::move(handler),
                [&] { return ::xenevtchn_bind_unbound_port(device_.get(), remote.value); });
}

Result<Channel> HostEvents::bind_interdomain(DomId remote, Port remote_port, EventHandler handler) {
    return bind("binding port " + std::to_string(remote_port.value) + " of domain " + std::to_string(remote.value),
                std::move(handler),
                [&] { return ::xenevtchn_bind_interdomain(device_.get(), remote.value, remote_port.value); });
}

std::size_t HostEvents::ports_in_use() const {
    const std::lock_guard held(lock_);
    return ports_.size();
}

Result<> HostEvents::notify(Port port, std::uint64_t) {
    if (::xenevtchn_notify(device_.get(), port.value) == 0) return {};
    return host_failure("an event on port " + std::to_string(port.value));
}

void HostEvents::take_events() {
    for (;;) {
        const xenevtchn_port_or_error_t port = ::xenevtchn_pending(device_.get());
        if (port < 0) return;
        const std::lock_guard held(lock_);
        const auto found = ports_.find(Port(static_cast<std::uint32_t>(port)));
        if (found == ports_.end()) continue;
        const BoundPtr& bound = found->second;
        bound->armed = false;
        bound->pending = true;
        if (!bound->masked) post(bound);
    }
}

void HostEvents::post(const BoundPtr& bound) {
    bound->where->post([this, bound] { run(bound); });
}

void HostEvents::run(const BoundPtr& bound) {
    {
        const std::lock_guard held(lock_);
        if (bound->closed || bound->masked || !bound->pending) return;
        bound->pending = false;
        bound->running = true;
    }
    bound->handler();
    const std::lock_guard held(lock_);
    bound->running = false;
    rearm(*bound);
    handler_done_.wake_all();
}

void HostEvents::rearm(Bound& bound) {
    if (bound.armed || bound.masked || bound.pending || bound.running || bound.closed) return;
    bound.armed = true;
    ::xenevtchn_unmask(device_.get(), bound.port.value);
}

void HostEvents::set_masked(Port port, std::uint64_t, bool masked) {
    const std::lock_guard held(lock_);
    const auto found = ports_.find(port);
    if (found == ports_.end()) return;
    const BoundPtr& bound = found->second;
    bound->masked = masked;
    if (masked) return;
    if (bound->pending) post(bound);
    rearm(*bound);
}

void HostEvents::close(Port port, std::uint64_t) {
    BoundPtr bound;
    const std::lock_guard held(lock_);
    const auto found = ports_.find(port);
    if (found == ports_.end()) return;
    bound = std::move(found->second);
    ports_.erase(found);
    bound->closed = true;
    ::xenevtchn_unbind(device_.get(), port.value);
    // An upcall of this vCPU is not running, or is the caller; outside any task nothing runs any more.
    if (!scheduler || !scheduler->current_task() || scheduler->in_upcall()) return;
    polite_wait(handler_done_, lock_, [&] { return !bound->running; });
}

}  // namespace xenrig::host
