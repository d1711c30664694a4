// The commands about the machine under a domain: devices, interrupts, ports, time, policies. Most have nothing behind
// them on a host without devices, and answer as Xen does on one (domctl.c; x86/domctl.c; passthrough/iommu.c).
#include <algorithm>
#include <iterator>

#include "sim/hypervisor/cpu_policy_op.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

struct Range {
    std::uint64_t first, last;
};
constexpr bool overlaps(const Range& a, const Range& b) { return a.first <= b.last && b.first <= a.last; }

/// What Xen keeps for itself (setup_io_bitmap, dom0_setup_permissions): interrupt controllers, timers, PCI's
/// configuration, its console.
constexpr Range kOwnPorts[] = {{0x20, 0x21}, {0xa0, 0xa1},   {0x4d0, 0x4d1}, {0x40, 0x43},
                               {0x61, 0x61}, {0xcf8, 0xcfb}, {0x3f8, 0x3ff}};
constexpr Range kOwnMemory[] = {{0xfec00, 0xfec00}, {0xfee00, 0xfee00}};

std::int64_t irq_permission(Domctl& d) {
    // No interrupt of the machine is given to the control domain, so it has none to give.
    constexpr std::uint32_t kPirqs = 256;
    return d.op.u.irq_permission.pirq >= kPirqs ? -error(Errno::inval) : -error(Errno::perm);
}

std::int64_t iomem_permission(Domctl& d) {
    const auto& op = d.op.u.iomem_permission;
    const Range asked{op.first_mfn, op.first_mfn + op.nr_mfns - 1};
    if (asked.last < asked.first) return -error(Errno::inval);
    const bool own = std::ranges::any_of(kOwnMemory, [&](const Range& r) { return overlaps(r, asked); });
    return own ? -error(Errno::perm) : 0;
}

std::int64_t ioport_permission(Domctl& d) {
    constexpr std::uint64_t kPorts = 0x1'0000;
    const auto& op = d.op.u.ioport_permission;
    const std::uint64_t first = op.first_port, count = op.nr_ports;
    if (count == 0 || first + count > kPorts) return -error(Errno::inval);
    const Range asked{first, first + count - 1};
    const bool own = std::ranges::any_of(kOwnPorts, [&](const Range& r) { return overlaps(r, asked); });
    return own ? -error(Errno::perm) : 0;
}

/// The page of stubs is written for kernels that run; here its frame is only looked for.
std::int64_t hypercall_init(Domctl& d) {
    return d.call.host.guest_frame(*d.domain, d.op.u.hypercall_init.gmfn) ? 0 : -error(Errno::inval);
}

std::int64_t send_trigger(Domctl& d) {
    const auto& op = d.op.u.sendtrigger;
    if (op.vcpu >= d.domain->vcpus.size()) return -error(Errno::srch);
    switch (op.trigger) {
        case XEN_DOMCTL_SENDTRIGGER_NMI:
            return 0;
        case XEN_DOMCTL_SENDTRIGGER_POWER:
        case XEN_DOMCTL_SENDTRIGGER_SLEEP:
            // ACPI's buttons.
            return d.domain->config.type == GuestType::hvm ? 0 : -error(Errno::inval);
        default:
            return -error(Errno::nosys);
    }
}

std::int64_t tsc_info(Domctl& d) {
    auto& info = d.op.u.tsc_info;
    if (d.op.cmd == XEN_DOMCTL_settscinfo) return d.domain == &d.call.domain ? -error(Errno::inval) : 0;
    constexpr std::uint32_t kKhz = 1'000'000;
    info = {};
    info.gtsc_khz = kKhz;
    info.incarnation = 1;
    d.answered = true;
    return 0;
}

std::int64_t node_affinity(Domctl& d) {
    constexpr std::uint64_t kNodes = 1;
    constexpr unsigned kNodesHad = 1;
    const auto& map = d.op.u.nodeaffinity.nodemap;
    if (d.op.cmd == XEN_DOMCTL_getnodeaffinity) return put_bitmap(d.call, map, kNodes, kNodesHad);
    std::uint64_t wanted = 0;
    if (const std::int64_t rc = fetch_bitmap(d.call, map, wanted, kNodesHad); rc != 0) return rc;
    return wanted == kNodes ? 0 : -error(Errno::inval);
}

/// Those that answer always the same: the command, and the Errno (0: done).
struct Fixed {
    std::uint32_t command;
    Errno answer;
};
constexpr Errno kDone{};
/// Xen's private continuation of a soft reset.
constexpr std::uint32_t kSoftResetGoesOn = 23;
constexpr Fixed kForPv[] = {
    {XEN_DOMCTL_subscribe, kDone},
    {XEN_DOMCTL_settimeoffset, kDone},
    {XEN_DOMCTL_get_paging_mempool_size, Errno::opnotsupp},
    {XEN_DOMCTL_set_paging_mempool_size, Errno::opnotsupp},
    {XEN_DOMCTL_set_access_required, kDone},
    {XEN_DOMCTL_debug_op, Errno::inval},
    {XEN_DOMCTL_setvnumainfo, Errno::inval},
    {XEN_DOMCTL_psr_cmt_op, Errno::nodev},
    {XEN_DOMCTL_monitor_op, Errno::opnotsupp},
    {XEN_DOMCTL_psr_alloc, Errno::nodev},
    {XEN_DOMCTL_vmtrace_op, Errno::inval},
    {XEN_DOMCTL_set_ext_vcpucontext, Errno::inval},
    {XEN_DOMCTL_get_ext_vcpucontext, kDone},
    {XEN_DOMCTL_setvcpuextstate, Errno::inval},
    {XEN_DOMCTL_getvcpuextstate, kDone},
    {XEN_DOMCTL_get_vcpu_msrs, kDone},
    {XEN_DOMCTL_set_vcpu_msrs, kDone},
    {XEN_DOMCTL_assign_device, Errno::opnotsupp},
    {XEN_DOMCTL_bind_pt_irq, Errno::inval},
    {XEN_DOMCTL_memory_mapping, Errno::inval},
    {XEN_DOMCTL_ioport_mapping, Errno::opnotsupp},
    {XEN_DOMCTL_test_assign_device, Errno::opnotsupp},
    {XEN_DOMCTL_deassign_device, Errno::opnotsupp},
    {XEN_DOMCTL_unbind_pt_irq, Errno::inval},
    {XEN_DOMCTL_get_device_group, Errno::opnotsupp},
    {XEN_DOMCTL_set_broken_page_p2m, Errno::inval},
    {kSoftResetGoesOn, Errno::inval},
};

}  // namespace

std::int64_t machine_domctl(Domctl& d) {
    switch (d.op.cmd) {
        case XEN_DOMCTL_irq_permission:
            return irq_permission(d);
        case XEN_DOMCTL_iomem_permission:
            return iomem_permission(d);
        case XEN_DOMCTL_ioport_permission:
            return ioport_permission(d);
        case XEN_DOMCTL_hypercall_init:
            return hypercall_init(d);
        case XEN_DOMCTL_get_cpu_policy:
            return get_cpu_policy(d);
        case XEN_DOMCTL_set_cpu_policy:
            return set_cpu_policy(d);
        case XEN_DOMCTL_sendtrigger:
            return send_trigger(d);
        case XEN_DOMCTL_gettscinfo:
        case XEN_DOMCTL_settscinfo:
            return tsc_info(d);
        case XEN_DOMCTL_getnodeaffinity:
        case XEN_DOMCTL_setnodeaffinity:
            return node_affinity(d);
        case XEN_DOMCTL_soft_reset:
            return d.domain == &d.call.domain ? -error(Errno::inval) : -error(Errno::opnotsupp);
        default:
            break;
    }
    const auto found = std::ranges::find(kForPv, d.op.cmd, &Fixed::command);
    return found == std::end(kForPv) ? -error(Errno::nosys) : -error(found->answer);
}

}  // namespace xenrig::hypervisor
