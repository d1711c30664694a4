// The commands about the machine's devices and a domain: interrupts, ports, memory that it may use or sees
// (domctl.c; x86/domctl.c; passthrough/iommu.c). No machine here has a device behind them.
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/permissions.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint64_t kPorts = 0x1'0000;

Permissions& permissions(Domain& d) {
    if (!d.permissions)
        d.permissions =
            std::make_unique<Permissions>(&d == d.host.control() ? Permissions::of_control() : Permissions{});
    return *d.permissions;
}

void permit(NumberSet& set, Range range, bool allow) { allow ? set.add(range) : set.remove(range); }

/// A control domain, or the domain's device model.
bool looks_after(const Domctl& d) {
    return d.call.domain.privileged() || (d.call.domain.target && d.call.domain.target == d.domain);
}

std::int64_t irq_permission(Domctl& d) {
    const auto& op = d.op.u.irq_permission;
    if (op.pirq >= static_cast<std::uint32_t>(d.call.domain.pirqs.count())) return -error(Errno::inval);
    if (!d.call.domain.privileged()) return -error(Errno::perm);
    return d.call.domain.pirqs.pass_on(static_cast<std::int32_t>(op.pirq), *d.domain, op.allow_access != 0);
}

std::int64_t iomem_permission(Domctl& d) {
    const auto& op = d.op.u.iomem_permission;
    const Range asked{op.first_mfn, op.first_mfn + op.nr_mfns - 1};
    if (asked.last < asked.first) return -error(Errno::inval);
    if (!d.call.domain.privileged() || !permissions(d.call.domain).memory.contains(asked)) return -error(Errno::perm);
    permit(permissions(*d.domain).memory, asked, op.allow_access != 0);
    return 0;
}

std::int64_t ioport_permission(Domctl& d) {
    const auto& op = d.op.u.ioport_permission;
    const std::uint64_t first = op.first_port, count = op.nr_ports;
    if (count == 0 || first + count > kPorts) return -error(Errno::inval);
    const Range asked{first, first + count - 1};
    if (!d.call.domain.privileged() || !permissions(d.call.domain).ports.contains(asked)) return -error(Errno::perm);
    permit(permissions(*d.domain).ports, asked, op.allow_access != 0);
    return 0;
}

/// Who asks has to have it, and the domain has to be allowed it. There is nothing to be seen there.
std::int64_t memory_mapping(Domctl& d) {
    const auto& op = d.op.u.memory_mapping;
    constexpr unsigned kFrameBits = 28;
    const Range frames{op.first_mfn, op.first_mfn + op.nr_mfns - 1};
    if (frames.last < frames.first || ((frames.first | frames.last) >> kFrameBits) != 0 ||
        op.first_gfn + op.nr_mfns - 1 < op.first_gfn)
        return -error(Errno::inval);
    if (!looks_after(d)) return -error(Errno::perm);
    // A PV guest maps it by its page tables.
    if (!d.domain->translated()) return 0;
    const bool allowed =
        permissions(d.call.domain).memory.contains(frames) && permissions(*d.domain).memory.contains(frames);
    return allowed ? 0 : -error(Errno::perm);
}

/// An HVM guest's ports that are the machine's.
std::int64_t ioport_mapping(Domctl& d) {
    if (!d.domain->translated()) return -error(Errno::opnotsupp);
    const auto& op = d.op.u.ioport_mapping;
    const std::uint64_t guest = op.first_gport, machine = op.first_mport, count = op.nr_ports;
    if (count == 0 || guest + count > kPorts || machine + count > kPorts) return -error(Errno::inval);
    const Range ports{machine, machine + count - 1};
    if (!looks_after(d) || !permissions(d.call.domain).ports.contains(ports)) return -error(Errno::perm);
    permit(permissions(*d.domain).ports, ports, op.add_mapping != 0);
    return 0;
}

}  // namespace

std::int64_t device_domctl(Domctl& d) {
    switch (d.op.cmd) {
        case XEN_DOMCTL_irq_permission:
            return irq_permission(d);
        case XEN_DOMCTL_iomem_permission:
            return iomem_permission(d);
        case XEN_DOMCTL_ioport_permission:
            return ioport_permission(d);
        case XEN_DOMCTL_memory_mapping:
            return memory_mapping(d);
        case XEN_DOMCTL_ioport_mapping:
            return ioport_mapping(d);
        case XEN_DOMCTL_bind_pt_irq:
        case XEN_DOMCTL_unbind_pt_irq:
            // No line of a device of an HVM guest's is mapped.
            return d.domain->translated() ? -error(Errno::perm) : -error(Errno::inval);
        case XEN_DOMCTL_assign_device:
        case XEN_DOMCTL_test_assign_device:
        case XEN_DOMCTL_deassign_device:
        case XEN_DOMCTL_get_device_group:
            // There is no IOMMU.
            return -error(Errno::opnotsupp);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
