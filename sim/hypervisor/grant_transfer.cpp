// GNTTABOP_transfer and cache_flush (grant_table.c: gnttab_transfer, _cache_flush): a PV guest gives a frame away to
// who asked for one; and what devices that see no caches would need.
#include <algorithm>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/grant_table.h"
#include "sim/hypervisor/host.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

bool GrantTable::commit_transfer(GrantRef ref, const Domain& from) {
    // As with access: a guest that changes the entry meanwhile is borne with five times.
    constexpr int kTries = 5;
    if (ref.value >= entries()) return false;
    std::byte* at = entry(ref);
    const std::uint32_t offered = GTF_accept_transfer | std::uint32_t{from.id.value} << 16;
    for (int i = 0; i < kTries; ++i) {
        if (shared::raw::load<std::uint32_t>(at) != offered) return false;
        if (shared::raw::rmw<std::uint32_t>(at, shared::Rmw::compare_exchange, offered | GTF_transfer_committed,
                                            offered) == offered)
            return true;
    }
    return false;
}

Gfn GrantTable::transfer_gfn(GrantRef ref) const {
    if (version_ == 1) return Gfn{shared::raw::load<std::uint32_t>(entry(ref) + offsetof(grant_entry_v1_t, frame))};
    return Gfn{shared::raw::load<std::uint64_t>(entry(ref) + offsetof(grant_entry_v2_t, full_page.frame))};
}

void GrantTable::complete_transfer(GrantRef ref, Mfn mfn) {
    std::byte* at = entry(ref);
    if (!domain_.translated()) {
        if (version_ == 1)
            shared::raw::store<std::uint32_t>(at + offsetof(grant_entry_v1_t, frame),
                                              static_cast<std::uint32_t>(mfn.value));
        else
            shared::raw::store<std::uint64_t>(at + offsetof(grant_entry_v2_t, full_page.frame), mfn.value);
    }
    shared::raw::rmw<std::uint16_t>(at, shared::Rmw::fetch_or, std::uint16_t{GTF_transfer_completed}, std::uint16_t{0});
}

bool GrantTable::used_by(const Domain& peer, Mfn mfn, GrantRef first) const {
    return std::ranges::any_of(
        active_.begin() + std::min<std::ptrdiff_t>(first.value, std::ssize(active_)), active_.end(),
        [&](const ActiveGrant& active) { return active.pins.any() && active.peer == peer.id && active.mfn == mfn; });
}

namespace {

GrantStatus receive(Host& host, Domain& caller, Mfn mfn, const gnttab_transfer_t& op) {
    Domain* to = host.find(DomId{op.domid});
    if (!to) return GNTST_bad_domain;
    if (to->dying() || to->frames >= to->max_frames) return GNTST_general_error;
    const GrantRef ref{op.ref};
    if (!to->grants.commit_transfer(ref, caller)) return GNTST_general_error;
    host.memory.assign(mfn, to->id);
    ++to->frames;
    if (host.observer) [[unlikely]]
        host.observer->frame_assigned(mfn, caller.id, to->id);
    const Gfn gfn = to->grants.transfer_gfn(ref);
    if (host.place(*to, gfn, mfn) == 0) to->dirty.mark(gfn);
    to->grants.complete_transfer(ref, mfn);
    return GNTST_okay;
}

}  // namespace

GrantStatus transfer_grant(Domain& caller, const gnttab_transfer_t& op) {
    Host& host = caller.host;
    Mfn mfn{op.mfn};
    if (caller.translated()) {
        const PhysmapEntry entry = host.look_up(caller, Gfn{op.mfn});
        if (!entry) return GNTST_bad_page;
        mfn = entry.frame();
    }
    if (!host.memory.allocated(mfn)) return GNTST_bad_page;
    const std::int64_t no = host.may_steal(caller, mfn);
    if (no != 0) return no == -error(Errno::inval) ? GNTST_bad_page : GNTST_general_error;
    host.take_out(caller, mfn);
    --caller.frames;
    const GrantStatus status = receive(host, caller, mfn, op);
    if (status != GNTST_okay && host.memory.put(mfn) && host.observer) host.observer->frame_freed(mfn, caller.id);
    return status;
}

std::int64_t flush_cache(Domain& caller, const gnttab_cache_flush_t& op, GrantRef first) {
    constexpr std::uint32_t kKnown = GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN;
    if (op.offset >= kPageSize || op.length > kPageSize || op.offset + op.length > kPageSize || (op.op & ~kKnown) != 0)
        return -error(Errno::inval);
    if (op.length == 0 || op.op == 0) return first.value == 0 ? 0 : -error(Errno::ilseq);
    Host& host = caller.host;
    const Mfn mfn{op.a.dev_bus_addr / kPageSize};
    if (mfn >= host.memory.end()) return -error(Errno::inval);
    if (!host.memory.allocated(mfn)) return -error(Errno::perm);
    const Domain* owner = host.find(host.memory.owner(mfn));
    if (!owner) return -error(Errno::perm);
    if (owner != &caller && !owner->grants.used_by(caller, mfn, first)) return -error(Errno::inval);
    // x86 has coherent caches: to write them back is nothing, and to forget what is in them can't be asked for.
    return op.op == GNTTAB_CACHE_INVAL ? -error(Errno::opnotsupp) : 0;
}

}  // namespace xenrig::hypervisor
