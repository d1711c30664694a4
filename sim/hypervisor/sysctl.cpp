// __HYPERVISOR_sysctl: what a toolstack asks of a whole host (common/sysctl.c, x86/sysctl.c, sched/cpupool.c).
#include <algorithm>
#include <bit>

#include "sim/hypervisor/cpu_policy_op.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/host_processor.h"
#include "sim/hypervisor/sysctl.h"

namespace xenrig::hypervisor {

namespace {

std::int64_t read_console(Sysctl& s) {
    auto& op = s.op.u.readconsole;
    const std::uint32_t from = op.index;
    const ConsoleRing::Piece piece = s.call.host.console.read(op.count, op.incremental != 0 ? &from : nullptr);
    if (!s.call.guest.copy_to_guest(address(op.buffer.p), piece.text.data(), piece.text.size()))
        return -error(Errno::fault);
    if (op.clear != 0) s.call.host.console.forget(piece.end);
    op.count = static_cast<std::uint32_t>(piece.text.size());
    op.index = piece.end;
    return 0;
}

std::int64_t phys_info(Sysctl& s) {
    auto& info = s.op.u.physinfo;
    const MachineMemory& memory = s.call.host.memory;
    info = {};
    info.threads_per_core = info.cores_per_socket = 1;
    info.nr_cpus = s.call.host.cpupools.processors();
    info.max_cpu_id = info.nr_cpus - 1;
    info.nr_nodes = kNodes;
    constexpr std::uint32_t kMaxNodeId = 63;
    info.max_node_id = kMaxNodeId;
    info.cpu_khz = kTscKhz;
    info.capabilities = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_hap |
                        XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
    info.total_pages = memory.frames();
    info.free_pages = memory.frames_free();
    info.max_mfn = memory.first().value + memory.frames() - 1;
    return 0;
}

std::int64_t domain_list(Sysctl& s) {
    auto& op = s.op.u.getdomaininfolist;
    std::uint32_t found = 0;
    for (const DomId dom : s.call.host.domains()) {
        if (dom.value < op.first_domain) continue;
        if (found == op.max_domains) break;
        xen_domctl_getdomaininfo info;
        describe(*s.call.host.find(dom), info);
        if (!s.call.guest.put(address(op.buffer.p) + found * sizeof info, info)) return -error(Errno::fault);
        ++found;
    }
    op.num_domains = found;
    return 0;
}

std::int64_t debug_keys(Sysctl& s) {
    const auto& op = s.op.u.debug_keys;
    s.answered = false;
    char key = 0;
    for (std::uint32_t i = 0; i < op.nr_keys; ++i)
        if (!s.call.guest.fetch(key, address(op.keys.p) + i)) return -error(Errno::fault);
    return 0;
}

std::int64_t cpu_info(Sysctl& s) {
    auto& op = s.op.u.getcpuinfo;
    const std::uint32_t told = std::min(op.max_cpus, s.call.host.cpupools.processors());
    const xen_sysctl_cpuinfo_t idle{};
    for (std::uint32_t i = 0; i < told; ++i)
        if (!s.call.guest.put(address(op.info.p) + i * sizeof idle, idle)) return -error(Errno::fault);
    op.nr_cpus = told;
    return 0;
}

/// Of a node, or of all (-1), and of addresses that have from so many to so many bits; 0 is no limit.
std::int64_t avail_heap(Sysctl& s) {
    auto& op = s.op.u.availheap;
    const MachineMemory& memory = s.call.host.memory;
    constexpr std::int32_t kAllNodes = -1;
    const auto bits = static_cast<std::uint32_t>(std::bit_width((memory.end().value - 1) * kPageSize));
    const bool in_reach = (op.node == kAllNodes || op.node == 0) && op.min_bitwidth < bits &&
                          (op.max_bitwidth == 0 || op.max_bitwidth >= bits);
    op.avail_bytes = in_reach ? memory.frames_free() * kPageSize : 0;
    return 0;
}

std::int64_t scheduler_op(Sysctl& s) {
    const auto& op = s.op.u.scheduler_op;
    if (op.cmd > XEN_SYSCTL_SCHEDOP_getinfo) return -error(Errno::inval);
    const Cpupools::Pool* pool = s.call.host.cpupools.find(op.cpupool_id);
    if (!pool) return -error(Errno::srch);
    if (op.sched_id != pool->scheduler || op.sched_id != XEN_SCHEDULER_CREDIT2) return -error(Errno::inval);
    constexpr std::uint32_t kRateLimitUs = 1000;
    if (op.cmd == XEN_SYSCTL_SCHEDOP_getinfo) s.op.u.scheduler_op.u.sched_credit2.ratelimit_us = kRateLimitUs;
    return 0;
}

/// There is no memory for traces; what is to be traced is remembered.
std::int64_t trace_buffers(Sysctl& s) {
    auto& op = s.op.u.tbuf_op;
    switch (op.cmd) {
        case XEN_SYSCTL_TBUFOP_get_info:
            op.evt_mask = s.call.host.traced_events;
            op.buffer_mfn = 0;
            op.size = 0;
            return 0;
        case XEN_SYSCTL_TBUFOP_set_cpu_mask: {
            std::uint64_t processors = 0;
            return fetch_bitmap(s.call, op.cpu_mask, processors, s.call.host.cpupools.processors());
        }
        case XEN_SYSCTL_TBUFOP_set_evt_mask:
            s.call.host.traced_events = op.evt_mask;
            return 0;
        case XEN_SYSCTL_TBUFOP_disable:
            return 0;
        default:
            return -error(Errno::inval);
    }
}

std::int64_t perform(Sysctl& s) {
    switch (s.op.cmd) {
        case XEN_SYSCTL_readconsole:
            return read_console(s);
        case XEN_SYSCTL_tbuf_op:
            return trace_buffers(s);
        case XEN_SYSCTL_physinfo:
            return phys_info(s);
        case XEN_SYSCTL_sched_id:
            s.op.u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
            return 0;
        case XEN_SYSCTL_getdomaininfolist:
            return domain_list(s);
        case XEN_SYSCTL_debug_keys:
            return debug_keys(s);
        case XEN_SYSCTL_getcpuinfo:
            return cpu_info(s);
        case XEN_SYSCTL_availheap:
            return avail_heap(s);
        case XEN_SYSCTL_cpupool_op:
            return cpupool_op(s);
        case XEN_SYSCTL_scheduler_op:
            return scheduler_op(s);
        case XEN_SYSCTL_get_cpu_levelling_caps:
            s.op.u.cpu_levelling_caps.caps = kLevellingCaps;
            return 0;
        case XEN_SYSCTL_get_cpu_featureset:
            s.answered = false;
            return get_featureset(s.call, s.op);
        case XEN_SYSCTL_get_cpu_policy:
            s.answered = false;
            return get_system_policy(s.call, s.op);
        default:
            return machine_sysctl(s);
    }
}

}  // namespace

std::int64_t sysctl(Call& call) {
    xen_sysctl_t op;
    if (!call.fetch(op, 0)) return -error(Errno::fault);
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION) return -error(Errno::access);
    if (!call.domain.privileged()) return -error(Errno::perm);
    Sysctl one{call, op};
    const std::int64_t result = perform(one);
    if (result == 0 && one.answered && !call.put(op, 0)) return -error(Errno::fault);
    return result;
}

}  // namespace xenrig::hypervisor
