// __HYPERVISOR_platform_op: what a control domain's kernel says to the machine beneath and asks of it
// (x86/platform_hypercall.c). Processors and the clock are there; the rest is answered ENOSYS.
#include <cstring>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

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

}  // namespace xenrig::hypervisor
