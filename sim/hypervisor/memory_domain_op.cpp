// What a toolstack asks and promises about a domain's memory: populate-on-demand targets (x86/mm.c), claims, vNUMA,
// reserved device memory (memory.c), access rights (mem_access.c).
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/memory_op.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

// memory.h shows these to tools alone.

/// struct xen_reserved_device_memory_map
struct ReservedDeviceMemoryMap {
    std::uint32_t flags, nr_entries;
    std::uint64_t buffer, device;
};
/// Of all devices, not of the one that is named.
constexpr std::uint32_t kAllDevices = 1;

/// struct xen_mem_access_op
struct MemAccessOp {
    std::uint8_t op, access;
    domid_t domid;
    std::uint32_t nr;
    std::uint64_t pfn, pfn_list, access_list;
};

}  // namespace

std::int64_t pod_target(Call& call, bool set) {
    xen_pod_target_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!d->translated()) return -error(Errno::inval);
    if (!call.domain.privileged()) return -error(Errno::perm);
    if (set)
        if (const std::int64_t result = d->pod.set_target(op.target_pages); result != 0) return result;
    op.tot_pages = d->frames;
    op.pod_cache_pages = d->pod.frames();
    op.pod_entries = d->pod.entries();
    return call.put(op) ? 0 : -error(Errno::fault);
}

std::int64_t claim_pages(Call& call) {
    xen_memory_reservation_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.extent_start.p != nullptr || op.extent_order != 0 || op.mem_flags != 0) return -error(Errno::inval);
    Domain* d = call.host.find(DomId{op.domid});
    if (!d) return -error(Errno::inval);
    if (!call.domain.privileged()) return -error(Errno::perm);
    return d->dying() ? -error(Errno::inval) : call.host.claim(*d, op.nr_extents);
}

/// No domain has virtual memory nodes: those are set by a domctl.
std::int64_t get_vnumainfo(Call& call) {
    xen_vnuma_topology_info_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.pad != 0) return -error(Errno::inval);
    const Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    return may_target(call.domain, *d) ? -error(Errno::opnotsupp) : -error(Errno::perm);
}

/// Without an IOMMU no device has memory of its own to go around.
std::int64_t reserved_device_memory_map(Call& call) {
    ReservedDeviceMemoryMap op;
    if (!call.fetch(op) || !may_be_guests(call.domain, op.buffer)) return -error(Errno::fault);
    if ((op.flags & ~kAllDevices) != 0) return -error(Errno::inval);
    op.nr_entries = 0;
    return call.put(op) ? 0 : -error(Errno::fault);
}

/// Nobody listens to a domain's violations, so that rights can't be set (mem_access_memop).
std::int64_t access_op(Call& call) {
    MemAccessOp op;
    if (!call.fetch(op)) return -error(Errno::fault);
    const Domain* d = call.host.find(DomId{op.domid});
    if (!d) return -error(Errno::srch);
    if (d == &call.domain) return -error(Errno::perm);
    if (d->dying() || !d->translated()) return -error(Errno::inval);
    return call.domain.privileged() ? -error(Errno::nodev) : -error(Errno::perm);
}

}  // namespace xenrig::hypervisor
