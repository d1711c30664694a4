// __HYPERVISOR_memory_op (memory.c: do_memory_op; x86/mm.c: xenmem_add_to_physmap_one).
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/shared_layout.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// The number of an operation is its low bits; where a preempted one goes on stands above them.
constexpr unsigned kExtentShift = 6;
constexpr std::uint32_t kOpMask = (1u << kExtentShift) - 1;
/// memop_max_order: of an ordinary domain, and of the control domain.
constexpr unsigned kMaxOrder = 9, kMaxOrderControl = 18;

std::uint64_t extent_address(const xen_memory_reservation_t& op, std::uint64_t i) {
    return reinterpret_cast<std::uint64_t>(op.extent_start.p) + i * sizeof(xen_pfn_t);
}

/// One extent of 2^order frames at `gpfn`; a PV guest is told the first machine frame. All or nothing.
bool populate_extent(Call& call, Domain& d, const xen_memory_reservation_t& op, std::uint64_t i) {
    xen_pfn_t gpfn = 0;
    if (!call.guest.fetch(gpfn, extent_address(op, i))) return false;
    xen_pfn_t first = 0;
    for (std::uint64_t k = 0; k < std::uint64_t{1} << op.extent_order; ++k) {
        const auto mfn = call.host.give_frame(d, Gfn{gpfn + k});
        if (!mfn) {
            while (k-- != 0) call.host.remove_page(d, Gfn{gpfn + k});
            return false;
        }
        if (k == 0) first = mfn->value;
    }
    return d.translated() || call.guest.put(extent_address(op, i), first);
}

bool decrease_extent(Call& call, Domain& d, const xen_memory_reservation_t& op, std::uint64_t i) {
    xen_pfn_t gmfn = 0;
    if (!call.guest.fetch(gmfn, extent_address(op, i))) return false;
    for (std::uint64_t k = 0; k < std::uint64_t{1} << op.extent_order; ++k) {
        Gfn gfn{gmfn + k};
        if (!d.translated()) {
            const auto mfn = call.host.guest_frame(d, gmfn + k);
            if (!mfn) return false;
            gfn = call.host.memory.gfn(*mfn);
        }
        if (call.host.remove_page(d, gfn) != 0) return false;
    }
    return true;
}

/// How many extents were done: reservations have no other way to say that something is wrong.
std::int64_t reservation(Call& call, std::uint32_t start,
                         bool (*one)(Call&, Domain&, const xen_memory_reservation_t&, std::uint64_t)) {
    xen_memory_reservation_t op;
    if (!call.fetch(op)) return start;
    if (op.nr_extents > (~0u >> kExtentShift) || start >= op.nr_extents) return start;
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d || d->dying() || !may_target(call.domain, *d)) return start;
    if (op.extent_order > (call.domain.privileged() ? kMaxOrderControl : kMaxOrder)) return start;
    std::uint64_t done = start;
    while (done < op.nr_extents && one(call, *d, op, done)) ++done;
    return static_cast<std::int64_t>(done);
}

template <class Read>
std::int64_t about_domain(Call& call, Read read) {
    domid_t dom;
    if (!call.fetch(dom)) return -error(Errno::fault);
    const Domain* d = call.host.find_any(DomId{dom}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    return static_cast<std::int64_t>(read(*d));
}

/// A PV guest says itself how far its p2m goes (arch_shared_info: max_pfn).
std::uint64_t maximum_gpfn(const Domain& d) {
    if (d.translated()) return d.physmap.highest().value;
    constexpr std::size_t kMaxPfn32 = kLayout32.evtchn_mask + 128 + 12;
    const std::uint64_t pfns =
        d.config.bits == 32 ? shared::raw::load<std::uint32_t>(d.shared_info + kMaxPfn32)
                            : shared::raw::load<std::uint64_t>(d.shared_info + offsetof(shared_info_t, arch.max_pfn));
    return pfns == 0 ? 0 : pfns - 1;
}

/// Of the grant table, which grows for it, or of its status words (gnttab_map_frame).
std::optional<Mfn> grant_frame(Domain& d, std::uint64_t index) {
    GrantTable& table = d.grants;
    if (table.version() == 2 && (index & XENMAPIDX_grant_table_status) != 0) {
        const std::uint64_t i = index & ~std::uint64_t{XENMAPIDX_grant_table_status};
        // As many grant frames as that many status frames can serve: Xen grows by whole status frames.
        constexpr unsigned kGrantFramesPerStatusFrame = 8;
        if (i >= table.frames_max()) return std::nullopt;
        const unsigned frames = (static_cast<unsigned>(i) + 1) * kGrantFramesPerStatusFrame;
        if (i >= table.status_frames() && (frames > table.frames_max() || !table.grow(frames))) return std::nullopt;
        return table.status_frame(static_cast<unsigned>(i));
    }
    if (index >= table.frames_max() || !table.grow(static_cast<unsigned>(index) + 1)) return std::nullopt;
    return table.frame(static_cast<unsigned>(index));
}

/// The frame that a space and an index name.
std::optional<Mfn> frame_of(Domain& d, const xen_add_to_physmap_t& op) {
    switch (op.space) {
        case XENMAPSPACE_shared_info:
            if (op.idx != 0) return std::nullopt;
            return d.shared_info_mfn;
        case XENMAPSPACE_grant_table:
            return grant_frame(d, op.idx);
        case XENMAPSPACE_gmfn: {
            const PhysmapEntry entry = d.physmap.at(Gfn{op.idx});
            return entry.own() ? std::optional{entry.frame()} : std::nullopt;
        }
        default:
            return std::nullopt;
    }
}

std::int64_t add_to_physmap_one(Host& host, Domain& d, const xen_add_to_physmap_t& op) {
    const auto mfn = frame_of(d, op);
    if (!mfn) return -error(Errno::inval);
    const Gfn gfn{op.gpfn};
    if (!d.physmap.fits(gfn)) return -error(gfn < Physmap::kEnd ? Errno::nomem : Errno::inval);
    // What was there goes: the domain's own memory is freed, a special frame merely unhooked.
    if (const PhysmapEntry before = d.physmap.at(gfn); before) {
        if (before.frame() == *mfn) return 0;
        if (before.type == PageType::special) {
            host.memory.set_gfn(before.frame(), kNoGfn);
            host.clear_physmap(d, gfn);
        } else if (const std::int64_t result = host.remove_page(d, gfn); result != 0) {
            return result;
        }
    }
    if (const Gfn old = host.memory.gfn(*mfn); old != kNoGfn) host.clear_physmap(d, old);
    host.memory.set_gfn(*mfn, gfn);
    host.set_physmap(d, gfn, *mfn, host.memory.kind(*mfn) == FrameKind::ram ? PageType::ram : PageType::special);
    return 0;
}

std::int64_t add_to_physmap(Call& call) {
    xen_add_to_physmap_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.space == XENMAPSPACE_gmfn_foreign) return -error(Errno::nosys);
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    if (!d->translated()) return -error(Errno::access);
    if (op.space != XENMAPSPACE_gmfn_range) return add_to_physmap_one(call.host, *d, op);

    op.space = XENMAPSPACE_gmfn;
    for (unsigned left = op.size; left != 0; --left, ++op.idx, ++op.gpfn)
        if (const std::int64_t result = add_to_physmap_one(call.host, *d, op); result != 0) return result;
    return 0;
}

std::int64_t remove_from_physmap(Call& call) {
    xen_remove_from_physmap_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    if (!d->translated()) return -error(Errno::access);
    const PhysmapEntry entry = d->physmap.at(Gfn{op.gpfn});
    if (!entry.own()) return -error(Errno::noent);
    call.host.displace(*d, entry);
    call.host.clear_physmap(*d, Gfn{op.gpfn});
    return 0;
}

}  // namespace

std::int64_t memory_op(Call& call) {
    const auto command = static_cast<std::uint32_t>(call.arg(0));
    const std::uint32_t start = command >> kExtentShift;
    switch (command & kOpMask) {
        case XENMEM_populate_physmap:
            return reservation(call, start, populate_extent);
        case XENMEM_decrease_reservation:
            return reservation(call, start, decrease_extent);
        case XENMEM_maximum_ram_page:
            return static_cast<std::int64_t>(call.host.memory.first().value + call.host.memory.frames());
        case XENMEM_current_reservation:
            return about_domain(call, [](const Domain& d) { return d.frames; });
        case XENMEM_maximum_reservation:
            return about_domain(call, [](const Domain& d) { return d.max_frames; });
        case XENMEM_maximum_gpfn:
            return about_domain(call, maximum_gpfn);
        case XENMEM_add_to_physmap:
            return add_to_physmap(call);
        case XENMEM_remove_from_physmap:
            return remove_from_physmap(call);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
