// How frames come to a domain and leave it (page_alloc.c, memory.c: guest_remove_page; x86: steal_page, p2m.c).
#include <algorithm>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

/// What others were promised is not given away; a domain may always use its own claim (alloc_heap_pages).
bool Host::spare(const Domain* d, std::uint64_t frames) const {
    return claimed_ + frames <= memory.frames_free() || (d && d->claimed >= frames);
}

std::optional<Mfn> Host::special_frame(Domain& d) {
    if (!spare(nullptr, 1)) return std::nullopt;
    const auto mfn = memory.allocate(d.id, FrameKind::special);
    if (mfn && observer) [[unlikely]]
        observer->frame_allocated(*mfn, d.id);
    return mfn;
}

std::optional<Mfn> Host::allocate(Domain& d, unsigned order, Mfn limit) {
    const std::uint64_t count = std::uint64_t{1} << order;
    if (d.dying() || d.frames + count > d.max_frames || !spare(&d, count)) return std::nullopt;
    const auto mfn = memory.allocate_run(d.id, order, limit);
    if (!mfn) return std::nullopt;
    d.frames += count;
    const std::uint64_t kept = std::min(d.claimed, count);
    d.claimed -= kept;
    claimed_ -= kept;
    for (std::uint64_t i = 0; observer && i < count; ++i) observer->frame_allocated(Mfn{mfn->value + i}, d.id);
    return mfn;
}

std::optional<Mfn> Host::give_frame(Domain& d, Gfn gfn) {
    if (!d.physmap.fits(gfn) || d.physmap.at(gfn).others()) return std::nullopt;
    const auto mfn = allocate(d);
    if (!mfn) return mfn;
    place(d, gfn, *mfn);
    d.dirty.mark(gfn);
    return mfn;
}

std::int64_t Host::place(Domain& d, Gfn gfn, Mfn mfn) {
    const PhysmapEntry before = d.physmap.at(gfn);
    if (!d.physmap.fits(gfn) || before.others()) {
        d.unplaced.push_back(mfn);
        return -error(before.others() || gfn >= Physmap::kEnd ? Errno::inval : Errno::nomem);
    }
    displace(d, before);
    memory.set_gfn(mfn, gfn);
    set_physmap(d, gfn, mfn, memory.kind(mfn) == FrameKind::ram ? PageType::ram : PageType::special);
    return 0;
}

std::int64_t Host::claim(Domain& d, std::uint64_t frames) {
    if (frames != 0) {
        if (d.claimed != 0 || frames <= d.frames || frames > d.max_frames) return -error(Errno::inval);
        frames -= d.frames;
        if (claimed_ + frames > memory.frames_free()) return -error(Errno::nomem);
    }
    claimed_ += frames - d.claimed;
    d.claimed = frames;
    return 0;
}

std::int64_t Host::remove_page(Domain& d, Gfn gfn) {
    const PhysmapEntry entry = d.physmap.at(gfn);
    if (!entry || entry.type == PageType::pod) return -error(Errno::noent);
    if (!entry.own()) return -error(Errno::nxio);
    clear_physmap(d, gfn);
    memory.set_gfn(entry.frame(), kNoGfn);
    if (entry.type == PageType::ram) put_frame(entry.frame());
    return 0;
}

bool Host::take_out(Domain& d, Mfn mfn) {
    if (const Gfn gfn = memory.gfn(mfn); gfn != kNoGfn) {
        clear_physmap(d, gfn);
        memory.set_gfn(mfn, kNoGfn);
        return true;
    }
    const auto at = std::ranges::find(d.unplaced, mfn);
    if (at == d.unplaced.end()) return false;
    d.unplaced.erase(at);
    return true;
}

std::int64_t Host::remove_frame(Domain& d, Mfn mfn) {
    if (!memory.allocated(mfn)) return -error(Errno::inval);
    if (memory.owner(mfn) != d.id) return -error(Errno::nxio);
    if (memory.kind(mfn) == FrameKind::ram && take_out(d, mfn)) put_frame(mfn);
    return 0;
}

void Host::map_foreign(Domain& d, Gfn gfn, Mfn mfn) {
    memory.get(mfn);
    set_physmap(d, gfn, mfn, PageType::foreign);
}

void Host::unmap_foreign(Domain& d, Gfn gfn) {
    const Mfn mfn = d.physmap.at(gfn).frame();
    clear_physmap(d, gfn);
    put_frame(mfn);
}

PhysmapEntry Host::pv_entry(const Domain& d, Mfn mfn) const {
    if (!memory.allocated(mfn) || memory.owner(mfn) != d.id) return {};
    PhysmapEntry entry;
    entry.mfn = mfn.value & ((std::uint64_t{1} << 56) - 1);
    entry.type = memory.kind(mfn) == FrameKind::ram ? PageType::ram : PageType::special;
    return entry;
}

std::int64_t Host::may_steal(const Domain& d, Mfn mfn) const {
    if (d.translated()) return -error(Errno::opnotsupp);
    const bool own = memory.owner(mfn) == d.id && memory.kind(mfn) == FrameKind::ram;
    // One that was given back already belongs to it only as long as somebody else holds it.
    const bool held = memory.gfn(mfn) != kNoGfn || std::ranges::find(d.unplaced, mfn) != d.unplaced.end();
    return own && held && memory.uses(mfn) == 1 ? 0 : -error(Errno::inval);
}

}  // namespace xenrig::hypervisor
