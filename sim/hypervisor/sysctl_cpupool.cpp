// XEN_SYSCTL_cpupool_op (sched/cpupool.c: cpupool_do_sysctl).
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/sysctl.h"

namespace xenrig::hypervisor {

namespace {

/// Of the pool, or else of the next one that there is.
std::int64_t info(Sysctl& s) {
    auto& op = s.op.u.cpupool_op;
    const Cpupools& pools = s.call.host.cpupools;
    const auto found = pools.all().lower_bound(op.cpupool_id);
    if (found == pools.all().end()) return -error(Errno::noent);
    op.cpupool_id = found->first;
    op.sched_id = found->second.scheduler;
    op.n_dom = domains_in_pool(s.call.host, found->first);
    return put_bitmap(s.call, op.cpumap, found->second.processors, pools.processors());
}

std::int64_t move_domain(Sysctl& s) {
    const auto& op = s.op.u.cpupool_op;
    if (op.domid == s.call.domain.id.value) return -error(Errno::perm);
    Domain* d = s.call.host.find(DomId{static_cast<std::uint16_t>(op.domid)});
    if (!d) return -error(Errno::srch);
    if (op.cpupool_id == d->cpupool) return 0;
    const Cpupools::Pool* pool = s.call.host.cpupools.find(op.cpupool_id);
    if (!pool || pool->processors == 0) return -error(Errno::noent);
    d->cpupool = op.cpupool_id;
    return 0;
}

}  // namespace

std::int64_t cpupool_op(Sysctl& s) {
    auto& op = s.op.u.cpupool_op;
    Cpupools& pools = s.call.host.cpupools;
    switch (op.op) {
        case XEN_SYSCTL_CPUPOOL_OP_CREATE: {
            std::uint32_t id = op.cpupool_id;
            const std::int64_t result = pools.create(id, op.sched_id);
            if (result == 0) op.cpupool_id = id;
            return result;
        }
        case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
            return pools.destroy(s.call.host, op.cpupool_id);
        case XEN_SYSCTL_CPUPOOL_OP_INFO:
            return info(s);
        case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
            return pools.add(op.cpupool_id, op.cpu);
        case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
            return pools.remove(s.call.host, op.cpupool_id, op.cpu);
        case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
            return move_domain(s);
        case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
            return put_bitmap(s.call, op.cpumap, pools.free(), pools.processors());
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
