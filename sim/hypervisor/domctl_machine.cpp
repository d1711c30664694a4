// The commands about the machine under a domain: its processor, time, nodes, buttons. Those that have nothing behind
// them here answer as Xen does on a host without it (domctl.c; x86/domctl.c; common/vm_event.c).
#include <algorithm>
#include <iterator>

#include "sim/hypervisor/cpu_policy_op.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

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
            return d.domain->translated() ? 0 : -error(Errno::inval);
        default:
            return -error(Errno::nosys);
    }
}

std::int64_t tsc_info(Domctl& d) {
    constexpr std::uint32_t kNeverEmulated = 2;
    auto& info = d.op.u.tsc_info;
    auto& kept = d.domain->time_stamps;
    if (d.domain == &d.call.domain) return -error(Errno::inval);
    if (d.op.cmd == XEN_DOMCTL_settscinfo) {
        if (info.tsc_mode > kNeverEmulated) return -error(Errno::inval);
        kept = {info.tsc_mode, info.gtsc_khz != 0 ? info.gtsc_khz : kTscKhz, info.incarnation + 1};
        return 0;
    }
    const bool counted = kept.mode != kNeverEmulated;
    const std::uint64_t now = d.call.host.machine.now().value;
    info = {};
    info.tsc_mode = kept.mode;
    info.gtsc_khz = counted ? kept.khz : 0;
    info.incarnation = kept.incarnation;
    info.elapsed_nsec = counted ? now : 0;
    d.answered = true;
    return 0;
}

/// Nobody listens to them: the version is all there is.
std::int64_t vm_event(Domctl& d) {
    auto& op = d.op.u.vm_event_op;
    constexpr std::uint32_t kVersion = 7;
    if (op.op == XEN_VM_EVENT_GET_VERSION) {
        op.u.version = kVersion;
        d.answered = true;
        return 0;
    }
    if (!d.call.domain.privileged()) return -error(Errno::perm);
    if (d.domain == &d.call.domain) return -error(Errno::inval);
    if (d.domain->dying()) return 0;
    if (d.domain->vcpus.empty()) return -error(Errno::inval);
    if (op.mode != XEN_DOMCTL_VM_EVENT_OP_MONITOR) return -error(Errno::nosys);
    switch (op.op) {
        case XEN_VM_EVENT_ENABLE:
            return -error(Errno::opnotsupp);
        case XEN_VM_EVENT_DISABLE:
            return -error(Errno::inval);
        case XEN_VM_EVENT_RESUME:
            return -error(Errno::nodev);
        default:
            return -error(Errno::nosys);
    }
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
constexpr Fixed kAlike[] = {
    {XEN_DOMCTL_subscribe, kDone},
    {XEN_DOMCTL_settimeoffset, kDone},
    {XEN_DOMCTL_setvnumainfo, Errno::inval},
    {XEN_DOMCTL_psr_cmt_op, Errno::nodev},
    {XEN_DOMCTL_psr_alloc, Errno::nodev},
    {XEN_DOMCTL_vmtrace_op, Errno::inval},
    {XEN_DOMCTL_set_broken_page_p2m, Errno::inval},
};

}  // namespace

std::int64_t machine_domctl(Domctl& d) {
    switch (d.op.cmd) {
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
        case kSoftResetGoesOn:
            return soft_reset(d, d.op.cmd == kSoftResetGoesOn);
        case XEN_DOMCTL_set_access_required:
            return d.domain == &d.call.domain ? -error(Errno::perm) : 0;
        case XEN_DOMCTL_vm_event_op:
            return vm_event(d);
        default:
            break;
    }
    const auto found = std::ranges::find(kAlike, d.op.cmd, &Fixed::command);
    return found == std::end(kAlike) ? -error(Errno::nosys) : -error(found->answer);
}

}  // namespace xenrig::hypervisor
