// Mapping and unmapping of grants (grant_table.c: map_grant_ref, unmap_common; x86: create_ and
// replace_grant_host_mapping).
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/grant_pte.h"
#include "sim/hypervisor/grant_table.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypervisor {

namespace {

Gfn gfn_of(std::uint64_t address) { return Gfn{address / kPageSize}; }

void observe(Domain& by, GrantHandle handle, const GrantTrack& track, Mfn mfn, bool mapped) {
    if (!by.host.observer) [[likely]]
        return;
    const GrantMapping m{
        by.id, handle, track.at, track.owner->id, track.ref, mfn, (track.flags & GNTMAP_readonly) == 0};
    mapped ? by.host.observer->mapped(m) : by.host.observer->unmapped(m);
}

/// Puts the frame into the caller's address space. As long as a PV guest has loaded no page tables, its linear
/// addresses are its gfns.
GrantStatus place(Vcpu& caller, std::uint64_t address, Mfn mfn, std::uint32_t flags) {
    Domain& d = caller.domain;
    if (d.translated() && (flags & ~std::uint32_t{GNTMAP_readonly}) != GNTMAP_host_map) return GNTST_general_error;
    const Gfn gfn = gfn_of(address);
    const PhysmapEntry before = d.physmap.at(gfn);
    // A PV guest's page-table entry is replaced, whatever was there; a mapping that stood there keeps its handle.
    if (before.others() && d.translated()) {
        // Xen does not let a mapping be replaced like that, and crashes who tries (p2m_add_page: p2m_is_special).
        caller.host.shut_down(d, SHUTDOWN_crash, &caller);
        return GNTST_general_error;
    }
    if (!d.physmap.fits(gfn) || (!d.translated() && gfn >= Physmap::kTablesEnd)) return GNTST_general_error;
    // A frame of its own that stands elsewhere leaves that place (p2m_add_page); a grant mapping is no place of its
    // own.
    if (const Gfn old = caller.host.memory.gfn(mfn);
        d.translated() && caller.host.memory.owner(mfn) == d.id && old != kNoGfn && old != gfn) {
        caller.host.displace(d, d.physmap.at(old));
        caller.host.clear_physmap(d, old);
    }
    if (!before.others()) caller.host.displace(d, before);
    caller.host.set_physmap(d, gfn, mfn, (flags & GNTMAP_readonly) != 0 ? PageType::grant_ro : PageType::grant_rw);
    return GNTST_okay;
}

GrantStatus take_away(Domain& d, std::uint64_t address, Mfn mfn, std::uint32_t flags) {
    const PhysmapEntry entry = d.physmap.at(gfn_of(address));
    if (!entry.granted() || entry.frame() != mfn) return GNTST_general_error;
    // A PV guest's page-table entry must be the one that was made: read-only or not.
    const bool read_only = (flags & GNTMAP_readonly) != 0;
    if (!d.translated() && read_only != (entry.type == PageType::grant_ro)) return GNTST_general_error;
    d.host.clear_physmap(d, gfn_of(address));
    return GNTST_okay;
}

/// Another address's entry of a PV guest's page tables moves to where the mapping is (replace_grant_pv_mapping). It
/// leaves its place first, so that a failure leaves it at neither.
GrantStatus replace(Domain& d, std::uint64_t address, std::uint64_t new_address, Mfn mfn, std::uint32_t flags) {
    if (d.translated() || gfn_of(new_address) >= Physmap::kTablesEnd) return GNTST_general_error;
    const PhysmapEntry moved = d.physmap.at(gfn_of(new_address));
    d.host.clear_physmap(d, gfn_of(new_address));
    const GrantStatus status = take_away(d, address, mfn, flags);
    if (status != GNTST_okay) {
        if (moved.own()) d.host.displace(d, moved);
    } else if (moved) {
        if (moved.own()) d.host.memory.set_gfn(moved.frame(), gfn_of(address));
        d.host.set_physmap(d, gfn_of(address), moved.frame(), moved.type);
    }
    return status;
}

/// One part of a mapping ends, whatever ended it: what the domain sees, or what its devices see. The handle goes with
/// the last.
void let_go(Domain& by, GrantHandle handle, GrantTrack& track, std::uint16_t part) {
    Domain& owner = *track.owner;
    const bool writable = (track.flags & GNTMAP_readonly) == 0;
    const GrantRef ref = track.ref;
    const Mfn mfn = owner.grants.active(ref).mfn;
    if (part == GNTMAP_host_map) observe(by, handle, track, mfn, false);
    track.flags = static_cast<std::uint16_t>(track.flags & ~part);
    if ((track.flags & (GNTMAP_host_map | GNTMAP_device_map)) == 0) by.grants.give_handle_back(handle);
    owner.grants.unpin(ref, by, writable, PinUse::map, part == GNTMAP_device_map);
    by.host.put_frame(mfn);
}

}  // namespace

void map_grant(Vcpu& caller, gnttab_map_grant_ref_t& op) {
    Domain& by = caller.domain;
    Host& host = caller.host;
    constexpr std::uint32_t kPvOnly = GNTMAP_device_map | GNTMAP_application_map | GNTMAP_contains_pte;
    const bool on_host = (op.flags & GNTMAP_host_map) != 0, on_device = (op.flags & GNTMAP_device_map) != 0;
    if (!on_host && !on_device) {
        op.status = GNTST_bad_gntref;
        return;
    }
    if (by.translated() && (op.flags & kPvOnly) != 0) {
        op.status = GNTST_general_error;
        return;
    }
    Domain* owner = host.find(DomId{op.dom});
    if (!owner) {
        op.status = GNTST_bad_domain;
        return;
    }
    const auto handle = by.grants.take_handle(caller);
    if (!handle) {
        op.status = GNTST_no_space;
        return;
    }

    const GrantRef ref{op.ref};
    const bool writable = (op.flags & GNTMAP_readonly) == 0;
    GrantStatus status = owner->grants.pin(ref, by, writable, PinUse::map);
    if (status == GNTST_okay && on_host) {
        const Mfn mfn = owner->grants.active(ref).mfn;
        status = uses_page_tables(caller, op.flags) ? place_in_tables(caller, op.host_addr, mfn, op.flags, *owner)
                                                    : place(caller, op.host_addr, mfn, op.flags);
        if (status != GNTST_okay) {
            owner->grants.unpin(ref, by, writable, PinUse::map);
            host.put_frame(mfn);
        }
    }
    op.status = status;
    if (status != GNTST_okay) return by.grants.give_handle_back(*handle);

    // Without an IOMMU a device sees the frame where it is, and the mapping is a pin.
    if (on_device) on_host ? owner->grants.pin_device(ref, by, writable) : owner->grants.device_alone(ref, writable);
    GrantTrack& track = *by.grants.track(*handle);
    track.ref = ref;
    track.owner = owner;
    track.flags = static_cast<std::uint16_t>(op.flags);
    track.at = on_host ? gfn_of(op.host_addr) : kNoGfn;
    const Mfn mfn = owner->grants.active(ref).mfn;
    if (writable) host.mark_dirty(*owner, mfn);
    if (on_host) observe(by, *handle, track, mfn, true);
    op.handle = handle->value;
    op.dev_bus_addr = mfn.value * kPageSize;
}

GrantStatus unmap_grant(Vcpu& caller, const gnttab_unmap_grant_ref_t& op, std::uint64_t new_address) {
    Domain& by = caller.domain;
    const GrantHandle handle{op.handle};
    GrantTrack* track = by.grants.track(handle);
    if (!track || track->flags == 0) return GNTST_bad_handle;
    const Mfn mfn = track->owner->grants.active(track->ref).mfn;
    if (op.dev_bus_addr != 0 && op.dev_bus_addr != mfn.value * kPageSize) return GNTST_bad_dev_addr;
    // With neither address there is nothing to do, and Xen says that it went well.
    const bool on_host = op.host_addr != 0 && (track->flags & GNTMAP_host_map) != 0;
    const bool on_device = op.dev_bus_addr != 0 && (track->flags & GNTMAP_device_map) != 0;
    if (on_host) {
        GrantStatus status;
        if (uses_page_tables(caller, track->flags))
            status = take_from_tables(caller, op.host_addr, mfn, track->flags, new_address);
        else if (new_address != 0)
            status = replace(by, op.host_addr, new_address, mfn, track->flags);
        else
            status = take_away(by, op.host_addr, mfn, track->flags);
        if (status != GNTST_okay) return status;
        let_go(by, handle, *track, GNTMAP_host_map);
    }
    if (on_device) let_go(by, handle, *track, GNTMAP_device_map);
    return GNTST_okay;
}

void release_mappings(Domain& d) {
    for (std::size_t i = 0; i < d.grants.tracks().size(); ++i)
        for (const std::uint16_t part : {std::uint16_t{GNTMAP_host_map}, std::uint16_t{GNTMAP_device_map}})
            if ((d.grants.tracks()[i].flags & part) != 0) let_go(d, d.grants.handle_at(i), d.grants.tracks()[i], part);
}

}  // namespace xenrig::hypervisor
