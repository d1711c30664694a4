// The hypercalls of a control domain's kernel and tools beside domctl and sysctl: platform_op, hypfs_op, dm_op,
// xenpmu_op, nmi_op, paging_domctl_cont. What has nothing behind it here is refused as Xen refuses it
// (x86/platform_hypercall.c, hypfs.c, x86/hvm/dm.c, x86/cpu/vpmu.c, x86/pv/callback.c, x86/mm/paging.c).
#include <cstddef>
#include <cstring>
#include <string>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

#include <xen/hvm/dm_op.h>
#include <xen/hypfs.h>
#include <xen/nmi.h>
#include <xen/platform.h>

namespace xenrig::hypervisor {

namespace {

std::int64_t processor_info(Call& call, xen_platform_op_t& op) {
    auto& info = op.u.pcpu_info;
    const std::uint32_t processors = call.host.cpupools.processors();
    info.flags = info.xen_cpuid < processors ? XEN_PCPU_FLAGS_ONLINE : XEN_PCPU_FLAGS_INVALID;
    if (info.xen_cpuid < processors) info.apic_id = info.acpi_id = info.xen_cpuid;
    info.max_present = processors - 1;
    return call.put(op, 0) ? 0 : -error(Errno::fault);
}

std::int64_t processor_version(Call& call, xen_platform_op_t& op) {
    auto& version = op.u.pcpu_version;
    const std::uint32_t processors = call.host.cpupools.processors();
    version.max_present = processors - 1;
    version.family = version.model = version.stepping = 0;
    std::memset(version.vendor_id, 0, sizeof version.vendor_id);
    if (version.xen_cpuid < processors) {
        const CpuPolicy& processor = system_policy(SystemPolicy::raw);
        const CpuidLeaf& names = processor.basic[0];
        const std::uint32_t letters[] = {names.b, names.d, names.c};
        std::memcpy(version.vendor_id, letters, sizeof letters);
        // Families below 15 have no extended number.
        const std::uint32_t signature = processor.basic[1].a, family = signature >> 8 & 0xf;
        constexpr std::uint32_t kExtendedFamily = 0xf;
        version.family = family == kExtendedFamily ? family + (signature >> 20 & 0xff) : family;
        version.model = (signature >> 4 & 0xf) | (family == kExtendedFamily ? signature >> 12 & 0xf0 : 0);
        version.stepping = signature & 0xf;
    }
    return call.put(op, 0) ? 0 : -error(Errno::fault);
}

std::int64_t online(const Call& call, const xen_platform_op_t& op) {
    const bool there = op.u.cpu_ol.cpuid < call.host.cpupools.processors();
    if (op.cmd == XENPF_cpu_offline && op.u.cpu_ol.cpuid == 0) return -error(Errno::opnotsupp);
    return there && op.cmd == XENPF_cpu_online ? 0 : -error(Errno::inval);
}

/// Processors are never parked.
std::int64_t core_parking(Call& call, xen_platform_op_t& op) {
    if (op.u.core_parking.type == XEN_CORE_PARKING_SET) return 0;
    if (op.u.core_parking.type != XEN_CORE_PARKING_GET) return -error(Errno::inval);
    op.u.core_parking.idle_nums = 0;
    return call.put(op, 0) ? 0 : -error(Errno::fault);
}

std::int64_t perform(Call& call, xen_platform_op_t& op) {
    switch (op.cmd) {
        case XENPF_settime32:
            // A world has a clock of its own.
            return 0;
        case XENPF_settime64:
            return op.u.settime64.mbz == 0 ? 0 : -error(Errno::inval);
        case XENPF_get_cpuinfo:
            return processor_info(call, op);
        case XENPF_get_cpu_version:
            return processor_version(call, op);
        case XENPF_cpu_online:
        case XENPF_cpu_offline:
            return online(call, op);
        case XENPF_platform_quirk:
            return op.u.platform_quirk.quirk_id >= QUIRK_NOIRQBALANCING &&
                           op.u.platform_quirk.quirk_id <= QUIRK_IOAPIC_GOOD_REGSEL
                       ? 0
                       : -error(Errno::inval);
        case XENPF_core_parking:
            return core_parking(call, op);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace

std::int64_t platform_op(Call& call) {
    xen_platform_op_t op;
    if (!call.fetch(op, 0)) return -error(Errno::fault);
    if (op.interface_version != XENPF_INTERFACE_VERSION) return -error(Errno::access);
    if (!call.domain.privileged()) return -error(Errno::perm);
    return perform(call, op);
}

std::int64_t nmi_op(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    switch (static_cast<std::uint32_t>(call.arg(0))) {
        case XENNMI_register_callback: {
            xennmi_callback_t op;
            if (!call.fetch(op)) return -error(Errno::fault);
            return canonical(op.handler_address) ? 0 : -error(Errno::inval);
        }
        case XENNMI_unregister_callback:
            return 0;
        default:
            return -error(Errno::nosys);
    }
}

/// A device model's requests, of which the first buffer says what is asked. Nothing of a device is played here.
std::int64_t dm_op(Call& call) {
    constexpr std::uint32_t kBuffersMax = 3;
    const auto count = static_cast<std::uint32_t>(call.arg(1));
    if (count > kBuffersMax) return -error(Errno::toobig);
    xen_dm_op_buf_t first{};
    xen_dm_op_buf_t each;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (!call.guest.fetch(each, call.arg(2) + i * sizeof each)) return -error(Errno::fault);
        if (i == 0) first = each;
    }
    if (count == 0) return -error(Errno::nodata);
    const DomId dom{static_cast<std::uint16_t>(call.arg(0))};
    if (dom == call.domain.id) return -error(Errno::perm);
    const Domain* d = call.host.find(dom);
    if (!d) return -error(Errno::srch);
    if (!d->translated()) return -error(Errno::inval);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    return first.size < offsetof(xen_dm_op, u) ? -error(Errno::fault) : -error(Errno::opnotsupp);
}

/// A tree of the hypervisor's settings, in which this one has none.
std::int64_t hypfs_op(Call& call) {
    if (!call.domain.privileged()) return -error(Errno::perm);
    if (static_cast<std::uint32_t>(call.arg(0)) == XEN_HYPFS_OP_get_version) {
        const bool plain = call.arg(1) == 0 && call.arg(2) == 0 && call.arg(3) == 0 && call.arg(4) == 0;
        return plain ? XEN_HYPFS_VERSION : -error(Errno::inval);
    }
    const std::uint64_t length = call.arg(2);
    if (length > XEN_HYPFS_MAX_PATHLEN) return -error(Errno::inval);
    std::string path(length, '\0');
    if (!call.guest.copy_from_guest(path.data(), call.arg(1), path.size())) return -error(Errno::fault);
    if (path.find('\0') != length - 1 || path[0] != '/') return -error(Errno::inval);
    return -error(Errno::noent);
}

/// Only Xen itself asks for what is left of a long operation; none is long here.
std::int64_t paging_domctl_cont(Call& call) {
    xen_domctl_t op;
    if (!call.fetch(op, 0)) return -error(Errno::fault);
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION || op.cmd != XEN_DOMCTL_shadow_op)
        return -error(Errno::opnotsupp);
    const Domain* d = call.host.find(DomId{op.domain});
    if (!d) return -error(Errno::srch);
    if (!call.domain.privileged()) return -error(Errno::perm);
    if (d == &call.domain) return -error(Errno::inval);
    if (d->dying()) return 0;
    return d->vcpus.empty() ? -error(Errno::inval) : -error(Errno::busy);
}

std::int64_t xenpmu_op(Call&) {
    // Counters are off (vpmu=).
    return -error(Errno::opnotsupp);
}

}  // namespace xenrig::hypervisor
