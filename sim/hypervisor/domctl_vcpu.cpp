// The commands about a domain's vCPUs: how many, their contexts, where they run, what they weigh (domctl.c;
// x86/domain.c: arch_set_info_guest; sched/core.c: sched_adjust).
#include <cstring>
#include <memory>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/mmu_op.h"
#include "sim/hypervisor/pv_context.h"

namespace xenrig::hypervisor {

namespace {

/// One processor, number 0.
constexpr std::uint64_t kProcessors = 1;
constexpr unsigned kProcessorsHad = 1;

/// The number is its configuration's; this makes them.
std::int64_t max_vcpus(Domctl& d) {
    Domain& domain = *d.domain;
    if (&domain == &d.call.domain || d.op.u.max_vcpus.max != domain.config.vcpus) return -error(Errno::inval);
    if (!domain.vcpus.empty()) return 0;
    domain.make_vcpus();
    for (const auto& v : domain.vcpus) {
        if (domain.pauses != 0) d.call.host.hold(*v);
        v->initialised = false;
        d.call.host.set_up(*v, false);
    }
    return 0;
}

std::int64_t set_context(Domctl& d) {
    const auto& given = d.op.u.vcpucontext;
    Vcpu* v = d.domain->vcpu(VcpuId{given.vcpu});
    if (d.domain == &d.call.domain || !v) return -error(Errno::inval);
    const auto at = reinterpret_cast<std::uint64_t>(given.ctxt.p);
    if (at == 0) {
        v->context.reset();
        if (v->page_tables) drop_page_tables(*v);
        v->initialised = false;
        d.call.host.set_up(*v, false);
        return 0;
    }
    auto context = std::make_unique<vcpu_guest_context_t>();
    if (!fetch_context(d.call.guest, *v, at, *context)) return -error(Errno::fault);
    if (!d.domain->translated()) {
        const std::int64_t result = set_pv_context(*v, *context);
        v->initialised = v->initialised || result == 0;
        return result;
    }
    // The registers are the runner's business; what was said is kept for who asks.
    if ((context->flags & VGCF_online) != 0) d.call.host.set_up(*v, true);
    v->context = std::move(context);
    v->initialised = true;
    return 0;
}

std::int64_t get_context(Domctl& d) {
    const auto& asked = d.op.u.vcpucontext;
    Vcpu* v = d.domain->vcpu(VcpuId{asked.vcpu});
    if (!v || v == &d.call.vcpu) return -error(Errno::inval);
    if (!v->initialised) return -error(Errno::nodata);
    const auto now =
        std::make_unique<vcpu_guest_context_t>(d.domain->translated() ? hvm_registers(*v) : pv_context(*v));
    now->flags = (now->flags & ~std::uint64_t{VGCF_online}) | (v->up ? VGCF_online : 0);
    now->vm_assist = d.domain->vm_assist;
    const auto at = reinterpret_cast<std::uint64_t>(asked.ctxt.p);
    if (!put_context(d.call.guest, *v, at, *now)) return -error(Errno::fault);
    d.answered = true;
    return 0;
}

std::int64_t get_vcpu_info(Domctl& d) {
    auto& info = d.op.u.getvcpuinfo;
    if (info.vcpu >= d.domain->config.vcpus) return -error(Errno::inval);
    const Vcpu* v = d.domain->vcpu(VcpuId{info.vcpu});
    if (!v) return -error(Errno::srch);
    info.online = v->up;
    info.blocked = v->blocked;
    info.running = info.online && !v->blocked && v->holds == 0;
    info.cpu_time = 0;
    info.cpu = 0;
    d.answered = true;
    return 0;
}

std::int64_t affinity(Domctl& d) {
    const auto& asked = d.op.u.vcpuaffinity;
    if (asked.vcpu >= d.domain->config.vcpus) return -error(Errno::inval);
    if (!d.domain->vcpu(VcpuId{asked.vcpu})) return -error(Errno::srch);
    const bool hard = (asked.flags & XEN_VCPUAFFINITY_HARD) != 0, soft = (asked.flags & XEN_VCPUAFFINITY_SOFT) != 0;
    if (asked.flags == 0 || (hard && asked.cpumap_hard.bitmap.p == nullptr) ||
        (soft && asked.cpumap_soft.bitmap.p == nullptr))
        return -error(Errno::inval);
    for (const auto* map : {hard ? &asked.cpumap_hard : nullptr, soft ? &asked.cpumap_soft : nullptr}) {
        if (!map) continue;
        if (d.op.cmd == XEN_DOMCTL_setvcpuaffinity) {
            std::uint64_t wanted = 0;
            if (const std::int64_t rc = fetch_bitmap(d.call, *map, wanted, kProcessorsHad); rc != 0) return rc;
            // There is one processor to choose from.
            if (wanted != kProcessors) return -error(Errno::inval);
        }
        if (const std::int64_t rc = put_bitmap(d.call, *map, kProcessors, kProcessorsHad); rc != 0) return rc;
    }
    return 0;
}

/// As credit2 takes it, the default scheduler: a weight, and a cap in per cent.
std::int64_t scheduler_op(Domctl& d) {
    auto& op = d.op.u.scheduler_op;
    d.answered = true;
    if (op.sched_id != XEN_SCHEDULER_CREDIT2) return -error(Errno::inval);
    switch (op.cmd) {
        case XEN_DOMCTL_SCHEDOP_putinfo:
            d.call.host.processors.set_share(*d.domain, op.u.credit2.weight, op.u.credit2.cap);
            return 0;
        case XEN_DOMCTL_SCHEDOP_getinfo:
            op.u.credit2.weight = static_cast<std::uint16_t>(d.domain->share.weight);
            op.u.credit2.cap = static_cast<std::uint16_t>(d.domain->share.cap);
            return 0;
        default:
            return -error(Errno::inval);
    }
}

}  // namespace

std::int64_t vcpu_domctl(Domctl& d) {
    switch (d.op.cmd) {
        case XEN_DOMCTL_max_vcpus:
            return max_vcpus(d);
        case XEN_DOMCTL_setvcpucontext:
            return set_context(d);
        case XEN_DOMCTL_getvcpucontext:
            return get_context(d);
        case XEN_DOMCTL_getvcpuinfo:
            return get_vcpu_info(d);
        case XEN_DOMCTL_setvcpuaffinity:
        case XEN_DOMCTL_getvcpuaffinity:
            return affinity(d);
        case XEN_DOMCTL_scheduler_op:
            return scheduler_op(d);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
