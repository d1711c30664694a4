// __HYPERVISOR_vcpu_op (domain.c: do_vcpu_op, common_vcpu_op; x86/domain.c: do_vcpu_op). A vCPU of another domain can't
// be named, so rights are no matter.
#include <cstring>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/shared_layout.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// Moves vcpu_info into the guest's own memory, once (domain.c: map_vcpu_info).
std::int64_t register_vcpu_info(Call& call, Vcpu& v) {
    vcpu_register_vcpu_info_t op;
    if (!call.fetch(op, 2)) return -error(Errno::fault);
    if (op.offset > kPageSize - kVcpuInfoBytes || op.offset % alignof(vcpu_info_t) != 0) return -error(Errno::nxio);
    if (v.info_frame) return -error(Errno::inval);
    const auto mfn = call.host.guest_frame(call.domain, op.mfn);
    if (!mfn || call.host.memory.kind(*mfn) != FrameKind::ram) return -error(Errno::inval);
    call.host.memory.get(*mfn);
    v.info_frame = *mfn;
    std::byte* to = call.host.memory.page(*mfn) + op.offset;
    std::memcpy(to, v.info, kVcpuInfoBytes);
    v.info = to;
    call.host.mark_dirty(call.domain, *mfn);
    // Whatever came in on the way must be looked at: everything is pending now.
    for (unsigned word = 0; word < call.domain.layout().word_bits; ++word) v.set_selector(word);
    v.mark_events_pending();
    return 0;
}

/// Every vCPU here was initialised by its builder; the context is read before that is looked at.
std::int64_t initialise(Call& call) {
    vcpu_guest_context_t context;
    return call.fetch(context, 2) ? -error(Errno::exist) : -error(Errno::fault);
}

/// Never descheduled: all its time it was running.
vcpu_runstate_info_t runstate(const Vcpu& v) {
    vcpu_runstate_info_t state{};
    state.state = v.blocked ? RUNSTATE_blocked : RUNSTATE_running;
    state.time[RUNSTATE_running] = v.host.machine.now().value;
    return state;
}

std::int64_t get_runstate_info(Call& call, const Vcpu& v) {
    return call.put(runstate(v), 2) ? 0 : -error(Errno::fault);
}

/// The area is filled in once; that it can't be written is no error.
std::int64_t register_runstate_area(Call& call, const Vcpu& v) {
    vcpu_register_runstate_memory_area_t op;
    if (!call.fetch(op, 2)) return -error(Errno::fault);
    if (op.addr.p != 0) static_cast<void>(call.guest.put(op.addr.p, runstate(v)));
    return 0;
}

std::int64_t register_time_area(Call& call) {
    vcpu_register_time_memory_area_t op;
    return call.fetch(op, 2) ? 0 : -error(Errno::fault);
}

void arm_periodic(Vcpu& v, Nanoseconds period) {
    v.set_timer(v.periodic_timer, v.host.machine.now() + period, [&v, period] {
        v.domain.events.raise_virq(v.id, VIRQ_TIMER);
        arm_periodic(v, period);
    });
}

std::int64_t set_periodic_timer(Call& call, Vcpu& v) {
    constexpr std::uint64_t kShortest = (1_ms).value, kLongest = ~std::uint64_t{0} >> 2;
    vcpu_set_periodic_timer_t op;
    if (!call.fetch(op, 2)) return -error(Errno::fault);
    if (op.period_ns < kShortest || op.period_ns > kLongest) return -error(Errno::inval);
    arm_periodic(v, Nanoseconds{op.period_ns});
    return 0;
}

/// Xen does not look at VCPU_SSHOTTMR_future: what is past fires at once.
std::int64_t set_singleshot_timer(Call& call, Vcpu& v) {
    vcpu_set_singleshot_timer_t op;
    if (&v != &call.vcpu) return -error(Errno::inval);
    if (!call.fetch(op, 2)) return -error(Errno::fault);
    v.set_timer(v.singleshot_timer, Nanoseconds{op.timeout_abs_ns},
                [&v] { v.domain.events.raise_virq(v.id, VIRQ_TIMER); });
    return 0;
}

std::int64_t stop_singleshot_timer(Call& call, Vcpu& v) {
    if (&v != &call.vcpu) return -error(Errno::inval);
    v.cancel(v.singleshot_timer);
    return 0;
}

}  // namespace

std::int64_t vcpu_op(Call& call) {
    const auto op = static_cast<std::int32_t>(call.arg(0));
    Vcpu* v = call.domain.vcpu(VcpuId{static_cast<std::uint32_t>(call.arg(1))});
    if (!v) return -error(Errno::noent);
    switch (op) {
        case VCPUOP_initialise:
            return initialise(call);
        case VCPUOP_up:
            return 0;
        case VCPUOP_is_up:
            return v->up ? 1 : 0;
        case VCPUOP_get_runstate_info:
            return get_runstate_info(call, *v);
        case VCPUOP_register_runstate_memory_area:
            return register_runstate_area(call, *v);
        case VCPUOP_set_periodic_timer:
            return set_periodic_timer(call, *v);
        case VCPUOP_stop_periodic_timer:
            v->cancel(v->periodic_timer);
            return 0;
        case VCPUOP_set_singleshot_timer:
            return set_singleshot_timer(call, *v);
        case VCPUOP_stop_singleshot_timer:
            return stop_singleshot_timer(call, *v);
        case VCPUOP_register_vcpu_info:
            return register_vcpu_info(call, *v);
        case VCPUOP_send_nmi:
            return call.arg(2) == 0 ? 0 : -error(Errno::inval);
        case VCPUOP_register_vcpu_time_memory_area:
            return register_time_area(call);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
