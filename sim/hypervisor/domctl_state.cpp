// The commands about a vCPU's state beyond its registers, as a PV guest is saved and restored, and about who watches it
// (x86/domctl.c; common/monitor.c).
#include <algorithm>
#include <cstring>

#include "sim/hypervisor/canonical.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/hvm_records.h"

namespace xenrig::hypervisor {

namespace {

using ExtContext = xen_domctl_ext_vcpucontext;

/// What is told of a vCPU that has been told nothing.
ExtContext fresh_ext(const Vcpu& v) {
    if (v.ext_context) return *v.ext_context;
    ExtContext ext{};
    ext.mcg_cap = fresh_vmce().caps;
    return ext;
}

/// A selector of a PV kernel's: in its own ring at least.
std::uint16_t in_guests_ring(std::uint16_t selector, const Domain& d) {
    const std::uint16_t ring = d.config.bits == 64 ? 3 : 1;
    return (selector & 3) >= ring ? selector : static_cast<std::uint16_t>((selector & ~3) | ring);
}

/// Machine checks, in the sizes of this and earlier versions of Xen; less says nothing.
std::int64_t set_machine_checks(const ExtContext& from, ExtContext& to) {
    constexpr std::size_t kAt = offsetof(ExtContext, mcg_cap);
    constexpr std::size_t kSizes[] = {sizeof(hvm_vmce_vcpu), offsetof(hvm_vmce_vcpu, mcg_ext_ctl),
                                      sizeof(std::uint64_t)};
    const std::size_t given = std::min<std::size_t>(from.size - kAt, sizeof(hvm_vmce_vcpu));
    const auto size = std::ranges::find_if(kSizes, [given](std::size_t s) { return s <= given; });
    if (size == std::end(kSizes)) return 0;
    hvm_vmce_vcpu vmce{};
    std::memcpy(&vmce, reinterpret_cast<const std::byte*>(&from) + kAt, *size);
    if (!acceptable(vmce)) return -error(Errno::inval);
    std::memcpy(reinterpret_cast<std::byte*>(&to) + kAt, &vmce, sizeof vmce);
    return 0;
}

std::int64_t get_ext_context(Domctl& d, const Vcpu& v) {
    auto& op = d.op.u.ext_vcpucontext;
    if (&v == &d.call.vcpu) return -error(Errno::srch);
    const std::uint32_t vcpu = op.vcpu;
    op = fresh_ext(v);
    op.vcpu = vcpu;
    op.size = sizeof op;
    d.answered = true;
    return 0;
}

std::int64_t set_ext_context(Domctl& d, Vcpu& v) {
    const ExtContext& op = d.op.u.ext_vcpucontext;
    if (d.domain == &d.call.domain) return -error(Errno::srch);
    if (op.size < offsetof(ExtContext, mcg_cap)) return -error(Errno::inval);
    ExtContext next = fresh_ext(v);
    if (d.domain->translated()) {
        if ((op.sysenter_callback_cs & ~3) != 0 || op.sysenter_callback_eip != 0 ||
            (op.syscall32_callback_cs & ~3) != 0 || op.syscall32_callback_eip != 0)
            return -error(Errno::inval);
    } else {
        if (!canonical(op.sysenter_callback_eip) || !canonical(op.syscall32_callback_eip)) return -error(Errno::inval);
        next.sysenter_callback_cs = in_guests_ring(op.sysenter_callback_cs, *d.domain);
        next.sysenter_callback_eip = op.sysenter_callback_eip;
        next.sysenter_disables_events = op.sysenter_disables_events;
        next.syscall32_callback_cs = in_guests_ring(op.syscall32_callback_cs, *d.domain);
        next.syscall32_callback_eip = op.syscall32_callback_eip;
        next.syscall32_disables_events = op.syscall32_disables_events;
    }
    const std::int64_t result = set_machine_checks(op, next);
    v.ext_context = std::make_unique<ExtContext>(next);
    return result;
}

/// XCR0 and all that it ever was. The processor has no xsave, so both are 0.
struct ExtendedState {
    std::uint64_t xcr0, xcr0_accum;
};

std::int64_t get_extended_state(Domctl& d) {
    auto& op = d.op.u.vcpuextstate;
    const auto at = reinterpret_cast<std::uint64_t>(op.buffer.p);
    const bool asks_size = (op.size == 0 && op.xfeature_mask == 0) || at == 0;
    if (asks_size) {
        op.xfeature_mask = 0;
    } else {
        if (op.size < sizeof(ExtendedState) || op.xfeature_mask != 0) return -error(Errno::inval);
        if (!d.call.guest.put(at, ExtendedState{})) return -error(Errno::fault);
    }
    op.size = sizeof(ExtendedState);
    return 0;
}

std::int64_t set_extended_state(Domctl& d) {
    const auto& op = d.op.u.vcpuextstate;
    if (op.size != sizeof(ExtendedState)) return -error(Errno::inval);
    ExtendedState state;
    if (!d.call.guest.fetch(state, reinterpret_cast<std::uint64_t>(op.buffer.p))) return -error(Errno::fault);
    return state.xcr0 == 0 && state.xcr0_accum == 0 ? 0 : -error(Errno::inval);
}

std::int64_t extended_state(Domctl& d) {
    const bool get = d.op.cmd == XEN_DOMCTL_getvcpuextstate;
    d.answered = get;
    const Vcpu* v = d.domain->vcpu(VcpuId{d.op.u.vcpuextstate.vcpu});
    if (!v) return -error(Errno::srch);
    if (v == &d.call.vcpu) return -error(Errno::inval);
    return get ? get_extended_state(d) : set_extended_state(d);
}

/// SPEC_CTRL, MISC_FEATURES_ENABLES, TSC_AUX and four masks of breakpoints: so many may be sent. The processor has only
/// the second, and nothing in it.
constexpr std::uint32_t kMsrsSent = 7, kMiscFeatures = 0x140;

std::int64_t set_msrs(Domctl& d) {
    auto& op = d.op.u.vcpu_msrs;
    if (op.msr_count > kMsrsSent) return -error(Errno::inval);
    for (std::uint32_t i = 0; i < op.msr_count; ++i) {
        xen_domctl_vcpu_msr one;
        const bool there = d.call.guest.fetch(one, reinterpret_cast<std::uint64_t>(op.msrs.p) + i * sizeof one);
        if (there && one.reserved == 0 && one.index == kMiscFeatures && one.value == 0) continue;
        op.msr_count = i;
        d.answered = true;
        return there ? -error(Errno::inval) : -error(Errno::fault);
    }
    return 0;
}

std::int64_t vcpu_msrs(Domctl& d) {
    auto& op = d.op.u.vcpu_msrs;
    const Vcpu* v = d.domain->vcpu(VcpuId{op.vcpu});
    if (!v) return -error(Errno::srch);
    if (v == &d.call.vcpu || d.domain->translated()) return -error(Errno::inval);
    if (d.op.cmd == XEN_DOMCTL_set_vcpu_msrs) return set_msrs(d);
    op.msr_count = op.msrs.p == nullptr ? kMsrsSent : 0;
    d.answered = true;
    return 0;
}

std::int64_t debug_op(const Domctl& d) {
    const Vcpu* v = d.domain->vcpu(VcpuId{d.op.u.debug_op.vcpu});
    if (!v || v == &d.call.vcpu || !d.domain->translated()) return -error(Errno::inval);
    // The processor has no monitor trap flag.
    return d.op.u.debug_op.op <= XEN_DOMCTL_DEBUG_OP_SINGLE_STEP_ON ? -error(Errno::opnotsupp) : -error(Errno::nosys);
}

/// What can be watched of an HVM guest with an AMD processor, a bit an event; nobody listens here.
constexpr std::uint32_t kWatchable = 0x1f7b;

std::int64_t watch(Domctl& d, bool enable) {
    auto& op = d.op.u.monitor_op;
    constexpr std::uint32_t kEvents = 32, kControlRegisters = 4;
    if (op.event >= kEvents) return -error(Errno::inval);
    if (!d.domain->translated() || (kWatchable >> op.event & 1) == 0) return -error(Errno::opnotsupp);
    // It is said to be watchable, and is not.
    if (op.event == XEN_DOMCTL_MONITOR_EVENT_INTERRUPT) return -error(Errno::opnotsupp);
    // Without a ring there is no map of registers.
    if (op.event == XEN_DOMCTL_MONITOR_EVENT_MOV_TO_MSR) return enable ? -error(Errno::nxio) : -error(Errno::exist);
    std::uint64_t bit = std::uint64_t{1} << op.event;
    if (op.event == XEN_DOMCTL_MONITOR_EVENT_WRITE_CTRLREG) {
        const auto& cr = op.u.mov_to_cr;
        if (cr.index >= kControlRegisters || cr.pad1 != 0 || cr.pad2 != 0) return -error(Errno::inval);
        bit = std::uint64_t{1} << (kEvents + cr.index);
    }
    if (((d.domain->watched & bit) != 0) == enable) return -error(Errno::exist);
    d.domain->watched ^= bit;
    d.answered = true;
    return 0;
}

std::int64_t monitor(Domctl& d) {
    auto& op = d.op.u.monitor_op;
    if (d.domain == &d.call.domain) return -error(Errno::perm);
    switch (op.op) {
        case XEN_DOMCTL_MONITOR_OP_ENABLE:
        case XEN_DOMCTL_MONITOR_OP_DISABLE:
            return watch(d, op.op == XEN_DOMCTL_MONITOR_OP_ENABLE);
        case XEN_DOMCTL_MONITOR_OP_GET_CAPABILITIES:
            op.event = d.domain->translated() ? kWatchable : 0;
            d.answered = true;
            return 0;
        case XEN_DOMCTL_MONITOR_OP_EMULATE_EACH_REP:
            return -error(Errno::inval);
        case XEN_DOMCTL_MONITOR_OP_CONTROL_REGISTERS:
            d.answered = true;
            return 0;
        default:
            return -error(Errno::opnotsupp);
    }
}

}  // namespace

std::int64_t state_domctl(Domctl& d) {
    switch (d.op.cmd) {
        case XEN_DOMCTL_set_ext_vcpucontext:
        case XEN_DOMCTL_get_ext_vcpucontext: {
            Vcpu* v = d.domain->vcpu(VcpuId{d.op.u.ext_vcpucontext.vcpu});
            if (!v) return -error(Errno::srch);
            return d.op.cmd == XEN_DOMCTL_set_ext_vcpucontext ? set_ext_context(d, *v) : get_ext_context(d, *v);
        }
        case XEN_DOMCTL_setvcpuextstate:
        case XEN_DOMCTL_getvcpuextstate:
            return extended_state(d);
        case XEN_DOMCTL_get_vcpu_msrs:
        case XEN_DOMCTL_set_vcpu_msrs:
            return vcpu_msrs(d);
        case XEN_DOMCTL_debug_op:
            return debug_op(d);
        case XEN_DOMCTL_monitor_op:
            return monitor(d);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
