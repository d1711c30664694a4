// XENMEM_add_to_physmap, its batch and remove_from_physmap (memory.c; x86: xenmem_add_to_physmap_one, p2m_add_foreign):
// a translated guest arranges what it sees where.
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/memory_op.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// INVALID_GFN
constexpr xen_pfn_t kInvalidGfn = ~0ull;

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

/// What stands at a gfn that something else is to take goes: the domain's own memory is freed, a special frame merely
/// unhooked.
std::int64_t make_room(Host& host, Domain& d, Gfn gfn) {
    const PhysmapEntry before = host.look_up(d, gfn);
    if (!before) return 0;
    if (before.type != PageType::special) return host.remove_page(d, gfn);
    host.memory.set_gfn(before.frame(), kNoGfn);
    host.clear_physmap(d, gfn);
    return 0;
}

std::int64_t add_foreign(const Call& call, Domain& d, DomId foreign, Gfn theirs, Gfn gfn) {
    // Only the hardware domain: what others could do with a foreign frame is not counted well enough
    // (arch_acquire_resource_check).
    if (!d.privileged()) return -error(Errno::perm);
    if (foreign.value == DOMID_SELF) return -error(Errno::inval);
    Domain* from = call.host.find(foreign);
    if (!from) return -error(Errno::srch);
    const PhysmapEntry entry =
        from->translated() ? call.host.look_up(*from, theirs) : call.host.pv_entry(*from, Mfn{theirs.value});
    if (entry.type != PageType::ram || gfn >= Physmap::kEnd) return -error(Errno::inval);
    if (!d.physmap.fits(gfn)) return -error(Errno::nomem);
    if (const std::int64_t result = make_room(call.host, d, gfn); result != 0) return result;
    call.host.map_foreign(d, gfn, entry.frame());
    return 0;
}

/// The frame that a space and an index name.
std::optional<Mfn> frame_of(const Host& host, Domain& d, unsigned space, std::uint64_t index) {
    switch (space) {
        case XENMAPSPACE_shared_info:
            if (index != 0) return std::nullopt;
            return d.shared_info_mfn;
        case XENMAPSPACE_grant_table:
            return grant_frame(d, index);
        case XENMAPSPACE_gmfn: {
            const PhysmapEntry entry = host.look_up(d, Gfn{index});
            return entry.own() ? std::optional{entry.frame()} : std::nullopt;
        }
        default:
            return std::nullopt;
    }
}

struct Source {
    unsigned space;
    DomId foreign{DOMID_INVALID};
};

std::int64_t add_one(const Call& call, Domain& d, const Source& source, std::uint64_t index, Gfn gfn) {
    Host& host = call.host;
    if (source.space == XENMAPSPACE_gmfn_foreign) return add_foreign(call, d, source.foreign, Gfn{index}, gfn);
    const auto mfn = frame_of(host, d, source.space, index);
    if (!mfn) return -error(Errno::inval);
    if (gfn >= Physmap::kEnd) {
        // Its old place is given up before the new one is looked at.
        if (const Gfn old = host.memory.gfn(*mfn); old != kNoGfn) {
            host.displace(d, d.physmap.at(old));
            host.clear_physmap(d, old);
        }
        return -error(Errno::noent);
    }
    if (!d.physmap.fits(gfn)) return -error(Errno::nomem);
    if (host.look_up(d, gfn).mfn == mfn->value && host.memory.gfn(*mfn) == gfn) return 0;
    if (const std::int64_t result = make_room(host, d, gfn); result != 0) return result;
    if (const Gfn old = host.memory.gfn(*mfn); old != kNoGfn) host.clear_physmap(d, old);
    return host.place(d, gfn, *mfn);
}

std::int64_t may_add(const Call& call, const Domain& d, unsigned space) {
    if (!d.translated()) return -error(Errno::access);
    if (space == XENMAPSPACE_dev_mmio && (!d.privileged() || &d != &call.domain)) return -error(Errno::access);
    return may_target(call.domain, d) ? 0 : -error(Errno::perm);
}

std::int64_t add_range(const Call& call, Domain& d, const xen_add_to_physmap_t& op, std::uint32_t start) {
    if (op.size < start) return -error(Errno::ilseq);
    if (op.gpfn + op.size < op.gpfn || op.idx + op.size < op.idx) return -error(Errno::overflow);
    for (std::uint32_t i = start; i < op.size; ++i)
        if (const std::int64_t result = add_one(call, d, {XENMAPSPACE_gmfn}, op.idx + i, Gfn{op.gpfn + i}); result != 0)
            return result;
    return 0;
}

}  // namespace

std::int64_t add_to_physmap(Call& call, std::uint32_t start) {
    if (start > UINT16_MAX) return -error(Errno::dom);
    xen_add_to_physmap_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.space == XENMAPSPACE_gmfn_foreign) return -error(Errno::nosys);
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (const std::int64_t no = may_add(call, *d, op.space); no != 0) return no;
    if (op.gpfn == kInvalidGfn) return -error(Errno::inval);
    if (op.space == XENMAPSPACE_gmfn_range) return add_range(call, *d, op, start);
    return add_one(call, *d, {op.space}, op.idx, Gfn{op.gpfn});
}

std::int64_t add_to_physmap_batch(Call& call, std::uint32_t start) {
    if (start > UINT16_MAX) return -error(Errno::dom);
    xen_add_to_physmap_batch_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.space == XENMAPSPACE_gmfn_range) return -error(Errno::opnotsupp);
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (const std::int64_t no = may_add(call, *d, op.space); no != 0) return no;
    if (op.size < start) return -error(Errno::ilseq);
    if (op.size == start) return start != 0 ? -error(Errno::ilseq) : 0;
    if (op.space == XENMAPSPACE_dev_mmio && op.u.res0 != 0) return -error(Errno::opnotsupp);
    const Source source{op.space, DomId{op.u.foreign_domid}};
    const auto at = [](const auto& list, std::uint32_t i) {
        return reinterpret_cast<std::uint64_t>(list.p) + i * sizeof *list.p;
    };
    for (std::uint32_t i = start; i < op.size; ++i) {
        xen_ulong_t index = 0;
        xen_pfn_t gpfn = 0;
        if (!call.guest.fetch(index, at(op.idxs, i)) || !call.guest.fetch(gpfn, at(op.gpfns, i)))
            return -error(Errno::fault);
        if (gpfn == kInvalidGfn) return -error(Errno::inval);
        const auto result = static_cast<int>(add_one(call, *d, source, index, Gfn{gpfn}));
        if (!call.guest.put(at(op.errs, i), result)) return -error(Errno::fault);
    }
    return 0;
}

std::int64_t remove_from_physmap(Call& call) {
    xen_remove_from_physmap_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!d->translated()) return -error(Errno::access);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    const Gfn gfn{op.gpfn};
    const PhysmapEntry entry = call.host.look_up(*d, gfn);
    if (entry.type == PageType::foreign) {
        call.host.unmap_foreign(*d, gfn);
        return 0;
    }
    if (!entry.own()) return -error(Errno::noent);
    call.host.displace(*d, entry);
    call.host.clear_physmap(*d, gfn);
    return 0;
}

}  // namespace xenrig::hypervisor
