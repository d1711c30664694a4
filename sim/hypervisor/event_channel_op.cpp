// __HYPERVISOR_event_channel_op (event_channel.c: do_event_channel_op): arguments, rights and the table of operations.
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/with_answer.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

DomId named(Call& call, domid_t dom) { return dom == DOMID_SELF ? call.domain.id : DomId{dom}; }

std::int64_t alloc_unbound(Call& call, evtchn_alloc_unbound_t& op) {
    Domain* d = call.host.find_any(DomId{op.dom}, call.domain);
    if (!d) return -error(Errno::srch);
    // Whether there is a port comes before the question who asks.
    if (const std::int64_t free = d->events.free_port(); free < 0) return free;
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    Port port{};
    const std::int64_t result = d->events.alloc_unbound(named(call, op.remote_dom), port);
    op.port = port.value;
    return result;
}

std::int64_t bind_interdomain(Call& call, evtchn_bind_interdomain_t& op) {
    Domain* remote = call.host.find(named(call, op.remote_dom));
    if (!remote) return -error(Errno::srch);
    Port local{};
    const std::int64_t result = call.domain.events.bind_interdomain(*remote, Port{op.remote_port}, local);
    op.local_port = local.value;
    return result;
}

std::int64_t status(Call& call, evtchn_status_t& op) {
    const Domain* d = call.host.find_any(DomId{op.dom}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!d->events.valid(Port{op.port})) return -error(Errno::inval);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    const Channel& channel = d->events.at(Port{op.port});
    switch (channel.use) {
        case PortUse::free:
        case PortUse::reserved:
            op.status = EVTCHNSTAT_closed;
            break;
        case PortUse::unbound:
            op.status = EVTCHNSTAT_unbound;
            op.u.unbound.dom = channel.remote_id.value;
            break;
        case PortUse::interdomain:
            op.status = EVTCHNSTAT_interdomain;
            op.u.interdomain.dom = channel.remote_id.value;
            op.u.interdomain.port = channel.remote_port.value;
            break;
        case PortUse::pirq:
            op.status = EVTCHNSTAT_pirq;
            op.u.pirq = channel.number;
            break;
        case PortUse::virq:
            op.status = EVTCHNSTAT_virq;
            op.u.virq = channel.number;
            break;
        case PortUse::ipi:
            op.status = EVTCHNSTAT_ipi;
            break;
    }
    op.vcpu = channel.vcpu.value;
    return 0;
}

std::int64_t reset(Call& call, const evtchn_reset_t& op) {
    Domain* d = call.host.find_any(DomId{op.dom}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    // Of another domain only while it is held by domctl.
    if (d != &call.domain && d->pauses == 0) return -error(Errno::inval);
    d->events.reset(true);
    return 0;
}

/// Xen's own continuation of a preempted reset (EVTCHNOP_reset_cont, in its private headers). A reset is never
/// preempted here, so there is none to continue.
std::int64_t reset_cont(Call& call, const evtchn_reset_t& op) {
    const Domain* d = call.host.find_any(DomId{op.dom}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    if (d != &call.domain && d->pauses == 0) return -error(Errno::inval);
    return -error(Errno::busy);
}

/// Behind the last operation of event_channel.h.
constexpr std::uint32_t kResetCont = EVTCHNOP_set_priority + 1;

}  // namespace

std::int64_t event_channel_op(Call& call) {
    EventChannels& events = call.domain.events;
    switch (static_cast<std::uint32_t>(call.arg(0))) {
        case EVTCHNOP_alloc_unbound:
            return with_answer<evtchn_alloc_unbound_t>(call, [&](auto& op) { return alloc_unbound(call, op); });
        case EVTCHNOP_bind_interdomain:
            return with_answer<evtchn_bind_interdomain_t>(call, [&](auto& op) { return bind_interdomain(call, op); });
        case EVTCHNOP_bind_virq:
            return with_answer<evtchn_bind_virq_t>(call, [&](auto& op) {
                Port port{};
                const std::int64_t result = events.bind_virq(op.virq, VcpuId{op.vcpu}, port);
                op.port = port.value;
                return result;
            });
        case EVTCHNOP_bind_pirq:
            return with_answer<evtchn_bind_pirq_t>(call, [&](auto& op) {
                Port port{};
                const std::int64_t result = events.bind_pirq(op.pirq, (op.flags & BIND_PIRQ__WILL_SHARE) != 0, port);
                op.port = port.value;
                return result;
            });
        case EVTCHNOP_bind_ipi:
            return with_answer<evtchn_bind_ipi_t>(call, [&](auto& op) {
                Port port{};
                const std::int64_t result = events.bind_ipi(VcpuId{op.vcpu}, port);
                op.port = port.value;
                return result;
            });
        case EVTCHNOP_status:
            return with_answer<evtchn_status_t>(call, [&](auto& op) { return status(call, op); });
        case EVTCHNOP_close:
            return without_answer<evtchn_close_t>(call, [&](auto& op) { return events.close(Port{op.port}); });
        case EVTCHNOP_send:
            return without_answer<evtchn_send_t>(call, [&](auto& op) { return events.send(Port{op.port}); });
        case EVTCHNOP_bind_vcpu:
            return without_answer<evtchn_bind_vcpu_t>(
                call, [&](auto& op) { return events.bind_vcpu(Port{op.port}, VcpuId{op.vcpu}); });
        case EVTCHNOP_unmask:
            return without_answer<evtchn_unmask_t>(call, [&](auto& op) { return events.unmask(Port{op.port}); });
        case EVTCHNOP_init_control:
            return with_answer<evtchn_init_control_t>(call, [&](auto& op) {
                op.link_bits = EVTCHN_FIFO_LINK_BITS;
                return events.init_control(VcpuId{op.vcpu}, Gfn{op.control_gfn}, op.offset);
            });
        case EVTCHNOP_expand_array:
            return without_answer<evtchn_expand_array_t>(
                call, [&](auto& op) { return events.expand_array(Gfn{op.array_gfn}); });
        case EVTCHNOP_set_priority:
            return without_answer<evtchn_set_priority_t>(
                call, [&](auto& op) { return events.set_priority(Port{op.port}, op.priority); });
        case EVTCHNOP_reset:
            return without_answer<evtchn_reset_t>(call, [&](auto& op) { return reset(call, op); });
        case kResetCont:
            return without_answer<evtchn_reset_t>(call, [&](auto& op) { return reset_cont(call, op); });
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
