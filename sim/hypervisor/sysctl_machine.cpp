// The sysctls about the machine's hardware: how its processors and memory lie, devices, power, patches
// (common/sysctl.c; x86/sysctl.c; drivers/acpi/pmstat.c; common/livepatch.c). Most of it this machine has not.
#include <algorithm>
#include <utility>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/sysctl.h"

namespace xenrig::hypervisor {

namespace {

/// The processor does not say what its cores are.
std::int64_t cpu_topology(Sysctl& s) {
    auto& op = s.op.u.cputopoinfo;
    const bool any = op.cputopo.p != nullptr;
    const std::uint32_t had = s.call.host.cpupools.processors();
    const std::uint32_t told = any ? std::min(op.num_cpus, had) : had;
    const xen_sysctl_cputopo_t first{XEN_INVALID_CORE_ID, 0, 0};
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

/// On no node are those that nobody has told of.
std::int64_t device_nodes(Sysctl& s) {
    auto& op = s.op.u.pcitopoinfo;
    if (op.devs.p == nullptr || op.nodes.p == nullptr) return -error(Errno::inval);
    for (std::uint32_t i = 0; i < op.num_devs; ++i) {
        physdev_pci_device_t device;
        if (!s.call.guest.fetch(device, address(op.devs.p) + i * sizeof device)) return -error(Errno::fault);
        const std::uint32_t number = std::uint32_t{device.seg} << 16 | std::uint32_t{device.bus} << 8 | device.devfn;
        const std::uint32_t node = s.call.host.pci_devices.contains(number) ? XEN_INVALID_NODE_ID : XEN_INVALID_DEV;
        if (!s.call.guest.put(address(op.nodes.p) + i * sizeof node, node)) return -error(Errno::fault);
    }
    return 0;
}

std::int64_t hot_plug(const Sysctl& s) {
    const auto& op = s.op.u.cpu_hotplug;
    if (op.op > XEN_SYSCTL_CPU_HOTPLUG_OFFLINE) return -error(Errno::opnotsupp);
    // Each is on, and none can be taken away.
    return op.cpu < s.call.host.cpupools.processors() && op.op == XEN_SYSCTL_CPU_HOTPLUG_ONLINE ? -error(Errno::exist)
                                                                                                : -error(Errno::inval);
}

/// Frames are looked at; none of ours breaks, and none is taken away.
std::int64_t page_offline(Sysctl& s) {
    const auto& op = s.op.u.page_offline;
    s.answered = false;
    if (op.end < op.start) return -error(Errno::inval);
    const MachineMemory& memory = s.call.host.memory;
    const std::uint64_t count = std::uint64_t{op.end} - op.start + 1;
    if (count > memory.frames()) return -error(Errno::nomem);
    constexpr std::uint8_t kInvalid = PG_OFFLINE_INVALID;
    bool all_there = op.start >= memory.first().value && op.end < memory.end().value;
    for (std::uint64_t i = 0; i < count; ++i) {
        std::uint32_t status = 0;
        std::fill_n(reinterpret_cast<std::uint8_t*>(&status), all_there ? 0 : sizeof status, kInvalid);
        if (!s.call.guest.put(address(op.status.p) + i * sizeof status, status)) return -error(Errno::fault);
    }
    // An error that Xen takes for an unsigned number.
    if (op.cmd == sysctl_page_online) return static_cast<std::uint32_t>(-error(Errno::inval));
    if (op.cmd == sysctl_query_page_offline && all_there) return 0;
    return op.cmd == sysctl_page_offline && all_there ? -error(Errno::perm) : -error(Errno::inval);
}

std::int64_t patches(Sysctl& s) {
    auto& op = s.op.u.livepatch;
    if (op.pad != 0) return -error(Errno::inval);
    if (op.cmd > XEN_SYSCTL_LIVEPATCH_ACTION) return -error(Errno::opnotsupp);
    if (op.cmd != XEN_SYSCTL_LIVEPATCH_LIST) return -error(Errno::inval);
    constexpr std::uint32_t kListMax = 1024;
    auto& list = op.u.list;
    if (list.nr > kListMax) return -error(Errno::toobig);
    if (list.pad != 0) return -error(Errno::inval);
    list.version = 1;
    list.nr = 0;
    list.name_total_size = list.metadata_total_size = 0;
    return 0;
}

/// The processor has states of sleep, of which Xen was told nothing, and none of speed.
std::int64_t power_statistics(Sysctl& s) {
    const auto& op = s.op.u.get_pmstat;
    constexpr std::uint32_t kCategory = 0xf0, kSleep = 0x20;
    if (op.cpuid >= s.call.host.cpupools.processors()) return -error(Errno::inval);
    if ((op.type & kCategory) != kSleep) return -error(Errno::nodev);
    return op.type >= PMSTAT_get_max_cx && op.type <= PMSTAT_reset_cxstat ? 0 : -error(Errno::nosys);
}

std::int64_t power(Sysctl& s) {
    auto& op = s.op.u.pm_op;
    Host& host = s.call.host;
    constexpr std::uint32_t kCategory = 0xf0, kSpeeds = 0x10;
    switch (op.cmd) {
        case XEN_SYSCTL_pm_op_set_sched_opt_smt:
            if (op.cpuid != 0) return -error(Errno::inval);
            op.u.set_sched_opt_smt = std::exchange(host.power.spares_threads, op.u.set_sched_opt_smt != 0);
            return 0;
        case XEN_SYSCTL_pm_op_get_max_cstate:
        case XEN_SYSCTL_pm_op_set_max_cstate: {
            if (op.cpuid > 1) return -error(Errno::inval);
            std::uint32_t& limit = op.cpuid == 0 ? host.power.sleep_max : host.power.light_sleep_max;
            if (op.cmd == XEN_SYSCTL_pm_op_get_max_cstate)
                op.u.get_max_cstate = limit;
            else
                limit = op.u.set_max_cstate;
            return 0;
        }
        case XEN_SYSCTL_pm_op_enable_turbo:
        case XEN_SYSCTL_pm_op_disable_turbo:
            return op.cpuid >= s.call.host.cpupools.processors() ? -error(Errno::inval) : -error(Errno::access);
        default:
            return op.cpuid >= s.call.host.cpupools.processors() || (op.cmd & kCategory) == kSpeeds
                       ? -error(Errno::inval)
                       : -error(Errno::nosys);
    }
}

}  // namespace

std::int64_t machine_sysctl(Sysctl& s) {
    switch (s.op.cmd) {
        case XEN_SYSCTL_cputopoinfo:
            return cpu_topology(s);
        case XEN_SYSCTL_numainfo:
            return numa_info(s);
        case XEN_SYSCTL_pcitopoinfo:
            return device_nodes(s);
        case XEN_SYSCTL_cpu_hotplug:
            return hot_plug(s);
        case XEN_SYSCTL_page_offline_op:
            return page_offline(s);
        case XEN_SYSCTL_livepatch_op:
            return patches(s);
        case XEN_SYSCTL_get_pmstat:
            return power_statistics(s);
        case XEN_SYSCTL_pm_op:
            return power(s);
        case XEN_SYSCTL_coverage_op:
            return -error(Errno::opnotsupp);
        case XEN_SYSCTL_psr_cmt_op:
            return -error(Errno::nodev);
        case XEN_SYSCTL_psr_alloc:
            return s.op.u.psr_alloc.cmd <= XEN_SYSCTL_PSR_get_mba_info ? -error(Errno::nodev)
                                                                       : -error(Errno::opnotsupp);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
