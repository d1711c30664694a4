// XENMEM_acquire_resource (memory.c: acquire_resource; grant_table.c: gnttab_acquire_resource): a toolstack or device
// model maps what the hypervisor keeps for another domain.
#include <algorithm>
#include <vector>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/memory_op.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// How many frames the whole resource has; 0 for none of that name.
std::uint32_t frames_max(const Domain& d, const xen_mem_acquire_resource_t& op) {
    constexpr unsigned kRequestBytes = 32;
    switch (op.type) {
        case XENMEM_resource_grant_table:
            if (op.id == XENMEM_resource_grant_table_id_shared) return d.grants.frames_max();
            if (op.id != XENMEM_resource_grant_table_id_status) return 0;
            return GrantTable::status_frames_for(d.grants.frames_max());
        case XENMEM_resource_ioreq_server:
            // The ring of buffered requests, and the vCPUs' own.
            if (!d.translated()) return 0;
            return 1 + static_cast<std::uint32_t>((d.config.vcpus * kRequestBytes + kPageSize - 1) / kPageSize);
        case XENMEM_resource_vmtrace_buf:
            // Nobody traces a domain's processor.
            return 0;
        default:
            // An error that Xen takes for a size.
            return static_cast<std::uint32_t>(-error(Errno::opnotsupp));
    }
}

std::int64_t grant_frames(Domain& d, const xen_mem_acquire_resource_t& op, std::vector<Mfn>& found) {
    GrantTable& table = d.grants;
    const auto end = static_cast<std::uint32_t>(op.frame) + op.nr_frames;
    const bool status = op.id == XENMEM_resource_grant_table_id_status;
    if (status) {
        if (table.version() != 2) return -error(Errno::inval);
        // Grant frames by the eight, which is how many one status frame serves.
        constexpr std::uint64_t kPerStatusFrame = 8;
        if (end > GrantTable::status_frames_for(table.frames_max())) return -error(Errno::inval);
        const auto wanted = std::min<std::uint64_t>(end * kPerStatusFrame, table.frames_max());
        if (end > table.status_frames() && !table.grow(static_cast<unsigned>(wanted))) return -error(Errno::inval);
    } else if (end > table.frames_max() || !table.grow(end)) {
        return -error(Errno::inval);
    }
    for (auto i = static_cast<std::uint32_t>(op.frame); i < end; ++i)
        found.push_back(status ? table.status_frame(i) : table.frame(i));
    return 0;
}

/// A PV caller is told the machine frames, and maps them as the other domain's; a translated one said where it wants
/// them.
std::int64_t hand_out(Call& call, const xen_mem_acquire_resource_t& op, const std::vector<Mfn>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const auto at = reinterpret_cast<std::uint64_t>(op.frame_list.p) + i * sizeof *op.frame_list.p;
        if (!call.domain.translated()) {
            if (!call.guest.put(at, xen_pfn_t{frames[i].value})) return -error(Errno::fault);
            continue;
        }
        xen_pfn_t gfn = 0;
        if (!call.guest.fetch(gfn, at)) return -error(Errno::fault);
        if (Gfn{gfn} >= Physmap::kEnd) return i == 0 ? -error(Errno::inval) : -error(Errno::io);
        if (!call.domain.physmap.fits(Gfn{gfn})) return i == 0 ? -error(Errno::nomem) : -error(Errno::io);
        const PhysmapEntry before = call.host.look_up(call.domain, Gfn{gfn});
        if (before.others()) return i == 0 ? -error(Errno::perm) : -error(Errno::io);
        call.host.displace(call.domain, before);
        call.host.map_foreign(call.domain, Gfn{gfn}, frames[i]);
    }
    return 0;
}

}  // namespace

std::int64_t acquire_resource(Call& call, std::uint32_t start) {
    constexpr std::uint32_t kFramesMax = ~0u >> 6;
    if (call.domain.translated() && !call.domain.privileged()) return -error(Errno::access);
    xen_mem_acquire_resource_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.pad != 0 || op.frame >> 32 != 0 || (op.frame + op.nr_frames) >> 32 != 0) return -error(Errno::inval);
    Domain* d = call.host.find(DomId{op.domid});
    if (!d) return -error(Errno::srch);
    if (d == &call.domain || !may_target(call.domain, *d)) return -error(Errno::perm);

    const std::uint32_t max = frames_max(*d, op);
    if (max == 0) return -error(Errno::inval);
    if (op.frame_list.p == nullptr) {
        if (op.nr_frames != 0 || start != 0) return -error(Errno::inval);
        const std::uint64_t at = call.arg(1) + offsetof(xen_mem_acquire_resource_t, nr_frames);
        return call.guest.put(at, max) ? 0 : -error(Errno::fault);
    }
    if (start >= op.nr_frames || op.nr_frames > kFramesMax) return -error(Errno::inval);
    op.nr_frames -= start;
    op.frame += start;
    op.frame_list.p += start;
    // Nobody has made an I/O request server.
    if (op.type == XENMEM_resource_ioreq_server) return -error(Errno::noent);
    if (op.type != XENMEM_resource_grant_table) return -error(Errno::opnotsupp);
    std::vector<Mfn> frames;
    const std::int64_t result = grant_frames(*d, op, frames);
    return result != 0 ? result : hand_out(call, op, frames);
}

}  // namespace xenrig::hypervisor
