// __HYPERVISOR_sched_op (sched/core.c: do_sched_op, vcpu_block, do_poll; domain.c: domain_shutdown) and set_timer_op.
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::hypervisor {

namespace {

std::int64_t yield(Call& call) {
    call.host.processors.yield(call.vcpu);
    if (scheduler && !scheduler->in_upcall()) scheduler->yield();
    return 0;
}

/// Enables upcalls and waits for one; an event that is there already is enough.
std::int64_t block(Vcpu& v) {
    v.clear_upcall_mask();
    if (!v.upcall_pending() && v.cpu) v.blocked = true;
    return 0;
}

std::int64_t poll(Call& call) {
    constexpr unsigned kPortsMax = 128;
    sched_poll_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.nr_ports > kPortsMax) return -error(Errno::inval);
    const auto ports = reinterpret_cast<std::uint64_t>(op.ports.p);
    if (!may_be_guests(call.domain, ports)) return -error(Errno::fault);
    Vcpu& v = call.vcpu;
    if (v.upcall_pending()) return 0;
    evtchn_port_t port = 0;
    for (unsigned i = 0; i < op.nr_ports; ++i) {
        if (!call.guest.fetch(port, ports + i * sizeof port)) return -error(Errno::fault);
        const std::int64_t pending = call.domain.events.poll(Port{port});
        if (pending != 0) return pending > 0 ? 0 : pending;
    }
    if (!v.cpu) return 0;
    // With several ports any event of the domain ends the wait, as in Xen: the guest looks for itself.
    v.polls = op.nr_ports == 1 ? Vcpu::Poll::one : Vcpu::Poll::any;
    v.polled_port = Port{port};
    ++call.domain.vcpus_polling;
    v.blocked = true;
    if (op.timeout != 0) v.set_timer(v.poll_timer, Nanoseconds{op.timeout}, [&v] { v.unblock(); });
    return 0;
}

std::int64_t shutdown(Call& call) {
    sched_shutdown_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    call.host.shut_down(call.domain, op.reason, &call.vcpu);
    return 0;
}

std::int64_t remote_shutdown(Call& call) {
    sched_remote_shutdown_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    Domain* d = call.host.find(DomId{op.domain_id});
    if (!d) return -error(Errno::srch);
    // The device model's right (XSM_DM_PRIV), and the control domain's.
    if (!call.domain.privileged() && call.domain.target != d) return -error(Errno::perm);
    call.host.shut_down(*d, op.reason, d == &call.domain ? &call.vcpu : nullptr);
    return 0;
}

std::int64_t shutdown_code(Call& call) {
    sched_shutdown_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    call.host.latch_shutdown_reason(call.domain, op.reason);
    return 0;
}

/// Not set again in time, it shuts the domain down (schedule.c: domain_watchdog).
std::int64_t watchdog(Call& call) {
    sched_watchdog_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    Domain& d = call.domain;
    auto& all = d.watchdogs;
    if (op.id > all.size()) return -error(Errno::inval);
    const bool fresh = op.id == 0;
    std::size_t i = op.id - std::size_t{1};
    if (fresh)
        for (i = 0; i < all.size() && all[i].in_use;) ++i;
    // Through an unsigned number of 32 bits, so that a 64-bit guest does not see it as negative.
    if (fresh && i == all.size())
        return call.domain.config.bits == 32 ? -error(Errno::nospc) : static_cast<std::uint32_t>(-error(Errno::nospc));
    if (!fresh && !all[i].in_use) return -error(Errno::inval);
    Vcpu& v = *d.vcpus.front();
    all[i].in_use = fresh || op.timeout != 0;
    if (!all[i].in_use) {
        v.cancel(all[i].timer);
        return 0;
    }
    if (op.timeout == 0) {
        call.host.shut_down(d, SHUTDOWN_watchdog, &call.vcpu);
        return static_cast<std::int64_t>(i + 1);
    }
    const Nanoseconds deadline{call.host.machine.now().value + op.timeout * (1000_ms).value};
    v.set_timer(all[i].timer, deadline, [&d] { d.host.shut_down(d, SHUTDOWN_watchdog, nullptr); });
    return fresh ? static_cast<std::int64_t>(i + 1) : 0;
}

/// The control domain ties its vCPU to a processor, or unties it (core.c: vcpu_temporary_affinity).
std::int64_t pin_override(Call& call) {
    sched_pin_override_t op;
    if (!call.domain.privileged()) return -error(Errno::perm);
    if (!call.fetch(op)) return -error(Errno::fault);
    Processors& processors = call.host.processors;
    const bool pinned = call.vcpu.unit.pinned.has_value();
    if (op.pcpu < 0 && !pinned) return -error(Errno::inval);
    if (op.pcpu >= static_cast<int>(processors.count())) return -error(Errno::inval);
    if (op.pcpu >= 0 && pinned) return -error(Errno::busy);
    processors.pin(call.vcpu, op.pcpu < 0 ? std::nullopt : std::optional{static_cast<std::uint32_t>(op.pcpu)});
    return 0;
}

}  // namespace

std::int64_t sched_op(Call& call) {
    switch (static_cast<std::uint32_t>(call.arg(0))) {
        case SCHEDOP_yield:
            return yield(call);
        case SCHEDOP_block:
            return block(call.vcpu);
        case SCHEDOP_poll:
            return poll(call);
        case SCHEDOP_shutdown:
            return shutdown(call);
        case SCHEDOP_remote_shutdown:
            return remote_shutdown(call);
        case SCHEDOP_watchdog:
            return watchdog(call);
        case SCHEDOP_pin_override:
            return pin_override(call);
        case SCHEDOP_shutdown_code:
            return shutdown_code(call);
        default:
            return -error(Errno::nosys);
    }
}

std::int64_t set_timer_op(Call& call) {
    Vcpu& v = call.vcpu;
    const std::uint64_t timeout = call.arg(0);
    if (timeout == 0) {
        v.cancel(v.singleshot_timer);
        return 0;
    }
    const std::uint64_t now = call.host.machine.now().value;
    std::uint64_t deadline = timeout;
    // A deadline that is negative or 13 days away is a wrapped jiffies counter of an old Linux: Xen waits 100 ms.
    if (static_cast<std::int64_t>(timeout) < 0 || (timeout > now && (timeout - now) >> 50 != 0))
        deadline = now + (100_ms).value;
    v.set_singleshot_timer(Nanoseconds{deadline});
    return 0;
}

}  // namespace xenrig::hypervisor
