// __HYPERVISOR_sysctl: what a toolstack asks of a whole host (common/sysctl.c, x86/sysctl.c, sched/cpupool.c).
#include <algorithm>
#include <iterator>

#include "sim/hypervisor/cpu_policy_op.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/host_processor.h"
#include "sim/hypervisor/tools_abi.h"

namespace xenrig::hypervisor {

namespace {

/// One processor, number 0, on the only node, in the only pool.
constexpr std::uint32_t kProcessors = 1, kNodes = 1;

struct Sysctl {
    Call& call;
    xen_sysctl_t& op;
    /// The operation is copied back where it went well.
    bool answered = true;
};

template <class T>
std::uint64_t address(const T* p) {
    return reinterpret_cast<std::uint64_t>(p);
}

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
    info.threads_per_core = info.cores_per_socket = info.nr_cpus = kProcessors;
    info.max_cpu_id = kProcessors - 1;
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
    const std::uint32_t told = std::min(op.max_cpus, kProcessors);
    const xen_sysctl_cpuinfo_t idle{};
    for (std::uint32_t i = 0; i < told; ++i)
        if (!s.call.guest.put(address(op.info.p) + i * sizeof idle, idle)) return -error(Errno::fault);
    op.nr_cpus = told;
    return 0;
}

std::int64_t avail_heap(Sysctl& s) {
    s.op.u.availheap.avail_bytes = s.call.host.memory.frames_free() * kPageSize;
    return 0;
}

std::int64_t cpu_topology(Sysctl& s) {
    auto& op = s.op.u.cputopoinfo;
    const bool any = op.cputopo.p != nullptr;
    const std::uint32_t told = any ? std::min(op.num_cpus, kProcessors) : kProcessors;
    const xen_sysctl_cputopo_t first{};
    for (std::uint32_t i = 0; any && i < told; ++i)
        if (!s.call.guest.put(address(op.cputopo.p) + i * sizeof first, first)) return -error(Errno::fault);
    op.num_cpus = told;
    return 0;
}

std::int64_t numa_info(Sysctl& s) {
    auto& op = s.op.u.numainfo;
    const bool memory = op.meminfo.p != nullptr, distance = op.distance.p != nullptr;
    const std::uint32_t told = memory || distance ? std::min(op.num_nodes, kNodes) : kNodes;
    const MachineMemory& all = s.call.host.memory;
    const xen_sysctl_meminfo_t node{all.frames() * kPageSize, all.frames_free() * kPageSize};
    /// SLIT's distance of a node to itself.
    constexpr std::uint32_t kLocal = 10;
    if (told != 0 && memory && !s.call.guest.put(address(op.meminfo.p), node)) return -error(Errno::fault);
    if (told != 0 && distance && !s.call.guest.put(address(op.distance.p), kLocal)) return -error(Errno::fault);
    op.num_nodes = told;
    return 0;
}

/// There is one pool, and it can't be changed.
std::int64_t cpupool(Sysctl& s) {
    auto& op = s.op.u.cpupool_op;
    switch (op.op) {
        case XEN_SYSCTL_CPUPOOL_OP_INFO: {
            if (op.cpupool_id != 0) return -error(Errno::noent);
            op.sched_id = XEN_SCHEDULER_CREDIT2;
            op.n_dom = static_cast<std::uint32_t>(s.call.host.domains().size());
            return put_bitmap(s.call, op.cpumap, 1, kProcessors);
        }
        case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
            return put_bitmap(s.call, op.cpumap, 0, kProcessors);
        case XEN_SYSCTL_CPUPOOL_OP_CREATE:
            return op.cpupool_id == 0 ? -error(Errno::exist) : -error(Errno::opnotsupp);
        case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
            return op.cpupool_id == 0 ? -error(Errno::busy) : -error(Errno::noent);
        case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
            return -error(Errno::nodev);
        case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
            return -error(Errno::inval);
        case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN: {
            if (op.domid == s.call.domain.id.value) return -error(Errno::perm);
            if (!s.call.host.find(DomId{static_cast<std::uint16_t>(op.domid)})) return -error(Errno::srch);
            return op.cpupool_id == 0 ? 0 : -error(Errno::noent);
        }
        default:
            return -error(Errno::nosys);
    }
}

std::int64_t scheduler_op(Sysctl& s) {
    const auto& op = s.op.u.scheduler_op;
    if (op.cpupool_id != 0) return -error(Errno::srch);
    if (op.sched_id != XEN_SCHEDULER_CREDIT2) return -error(Errno::inval);
    constexpr std::uint32_t kRateLimitUs = 1000;
    if (op.cmd == XEN_SYSCTL_SCHEDOP_getinfo) s.op.u.scheduler_op.u.sched_credit2.ratelimit_us = kRateLimitUs;
    return op.cmd <= XEN_SYSCTL_SCHEDOP_getinfo ? 0 : -error(Errno::inval);
}

/// What has nothing behind it on this host: power, hot plug, caches, patches, coverage.
struct Fixed {
    std::uint32_t command;
    Errno answer;
};
constexpr Fixed kNothingBehind[] = {
    {XEN_SYSCTL_get_pmstat, Errno::nodev},      {XEN_SYSCTL_cpu_hotplug, Errno::exist},
    {XEN_SYSCTL_page_offline_op, Errno::inval}, {XEN_SYSCTL_coverage_op, Errno::opnotsupp},
    {XEN_SYSCTL_psr_cmt_op, Errno::nodev},      {XEN_SYSCTL_psr_alloc, Errno::nodev},
    {XEN_SYSCTL_pcitopoinfo, Errno::inval},     {XEN_SYSCTL_livepatch_op, Errno::inval}};

std::int64_t perform(Sysctl& s) {
    switch (s.op.cmd) {
        case XEN_SYSCTL_readconsole:
            return read_console(s);
        case XEN_SYSCTL_tbuf_op:
            s.op.u.tbuf_op.size = 0;
            return s.op.u.tbuf_op.cmd == XEN_SYSCTL_TBUFOP_get_info ? 0 : -error(Errno::inval);
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
        case XEN_SYSCTL_cputopoinfo:
            return cpu_topology(s);
        case XEN_SYSCTL_numainfo:
            return numa_info(s);
        case XEN_SYSCTL_cpupool_op:
            return cpupool(s);
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
            break;
    }
    const auto found = std::ranges::find(kNothingBehind, s.op.cmd, &Fixed::command);
    return found == std::end(kNothingBehind) ? -error(Errno::nosys) : -error(found->answer);
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
