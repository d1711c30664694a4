// Event channels by libxenevtchn: /dev/xen/evtchn of the domain that we run in.
//
// The device masks a port as it hands its event out, until it is told to go on (xenevtchn_unmask); so a handler runs
// once for events that come while it runs. Handlers run as upcalls on the vCPU that made the channel. Ports of a
// process that dies are closed by the kernel. Source: xenevtchn.h, Linux' uapi/xen/evtchn.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "upcall_queue.h"
#include "xenrig/platform/events.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"

extern "C" {
#include <xenevtchn.h>
}

namespace xenrig {
class Scheduler;
}

namespace xenrig::host {

class PollThread;

class HostEvents final : public Events {
public:
    /// ENOENT or EACCES, with what to do, when the device can't be opened.
    static Result<std::unique_ptr<HostEvents>> open(Scheduler& outside, UpcallQueues& upcalls);
    ~HostEvents() override;

    Result<Channel> alloc_unbound(DomId remote, EventHandler handler) override;
    Result<Channel> bind_interdomain(DomId remote, Port remote_port, EventHandler handler) override;
    std::size_t ports_in_use() const override;

private:
    struct Bound;
    using BoundPtr = std::shared_ptr<Bound>;

    HostEvents(xenevtchn_handle* device, Scheduler& outside, UpcallQueues& upcalls);

    Result<> notify(Port port, std::uint64_t epoch) override;
    void set_masked(Port port, std::uint64_t epoch, bool masked) override;
    void close(Port port, std::uint64_t epoch) override;

    template <class Bind>
    Result<Channel> bind(const std::string& what, EventHandler handler, Bind bind_port);
    void take_events();
    void post(const BoundPtr& bound);
    void run(const BoundPtr& bound);
    void rearm(Bound& bound);

    struct Closed {
        void operator()(xenevtchn_handle* device) const { ::xenevtchn_close(device); }
    };
    std::unique_ptr<xenevtchn_handle, Closed> device_;
    UpcallQueues& upcalls_;
    mutable IrqLock lock_{"host events"};
    WaitQueue handler_done_{"an event handler on another vCPU to return"};
    /// Under the lock.
    std::map<Port, BoundPtr> ports_;
    std::unique_ptr<PollThread> events_;
};

}  // namespace xenrig::host
