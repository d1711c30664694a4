// How a grant entry is taken into use and let go (grant_table.c: _set_status, acquire_ and release_grant_for_copy).
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/grant_table.h"
#include "sim/hypervisor/host.h"
#include "xenrig/abi/check.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

namespace {

/// Flags and domid are read and exchanged as one word, since the guest changes both.
struct Head {
    std::uint16_t flags;
    std::uint16_t domid;

    explicit Head(std::uint32_t word)
        : flags(static_cast<std::uint16_t>(word)), domid(static_cast<std::uint16_t>(word >> 16)) {}
    std::uint32_t word() const { return flags | static_cast<std::uint32_t>(domid) << 16; }
    unsigned type() const { return flags & GTF_type_mask; }
};

Head head(const std::byte* entry) { return Head{shared::raw::load<std::uint32_t>(entry)}; }

/// Sub-page grants can't be mapped, so that for a map they are of no known type.
unsigned type_mask(PinUse use) { return use == PinUse::map ? GTF_type_mask | GTF_sub_page : GTF_type_mask; }

std::uint16_t wanted_flags(bool writable) {
    return static_cast<std::uint16_t>(GTF_reading | (writable ? GTF_writing : 0u));
}

std::uint8_t& counter(Pins& pins, bool writable, bool device = false) {
    if (device) return writable ? pins.device_rw : pins.device_ro;
    return writable ? pins.host_rw : pins.host_ro;
}

void fetch_or(std::byte* at, std::uint16_t bits) {
    shared::raw::rmw<std::uint16_t>(at, shared::Rmw::fetch_or, bits, std::uint16_t{0});
}
void fetch_clear(std::byte* at, std::uint32_t bits) {
    shared::raw::rmw<std::uint16_t>(at, shared::Rmw::fetch_and, static_cast<std::uint16_t>(~bits), std::uint16_t{0});
}

}  // namespace

GrantStatus GrantTable::set_status(GrantRef ref, const ActiveGrant& active, const Domain& peer, bool writable,
                                   PinUse use) {
    return version_ == 1 ? set_status_v1(ref, active, peer, writable, use)
                         : set_status_v2(ref, active, peer, writable, use);
}

GrantStatus GrantTable::set_status_v1(GrantRef ref, const ActiveGrant& active, const Domain& peer, bool writable,
                                      PinUse use) {
    // The guest may change the entry between our load and our exchange, for a good reason (GTF_readonly) or to hold us
    // up; five tries tell the two apart.
    constexpr int kTries = 5;
    std::byte* at = entry(ref);
    Head seen = head(at);
    for (int i = 0; i < kTries; ++i) {
        if (!active.pins.any() && ((seen.flags & type_mask(use)) != GTF_permit_access || seen.domid != peer.id.value))
            return GNTST_general_error;
        if (writable && (seen.flags & GTF_readonly) != 0) return GNTST_general_error;
        Head wanted = seen;
        wanted.flags = static_cast<std::uint16_t>(wanted.flags | wanted_flags(writable));
        const auto was = shared::raw::rmw<std::uint32_t>(at, shared::Rmw::compare_exchange, wanted.word(), seen.word());
        if (was == seen.word()) return GNTST_okay;
        seen = Head{was};
    }
    return GNTST_general_error;
}

GrantStatus GrantTable::set_status_v2(GrantRef ref, const ActiveGrant& active, const Domain& peer, bool writable,
                                      PinUse use) {
    const auto granted = [&](Head h) {
        const unsigned type = h.flags & type_mask(use);
        // What is granted on can be copied and not mapped.
        const bool fits = type == GTF_permit_access || (type == GTF_transitive && use == PinUse::copy);
        return fits && h.domid == peer.id.value;
    };
    const Head before = head(entry(ref));
    if (!active.pins.any() && !granted(before)) return GNTST_general_error;
    if (writable && (before.flags & GTF_readonly) != 0) return GNTST_general_error;
    fetch_or(status(ref), wanted_flags(writable));

    // The status stands in another page: the guest may have ended the grant before it could see that it is in use.
    const Head after = head(entry(ref));
    const bool read_only = (after.flags & GTF_readonly) != 0;
    if (!active.pins.any() && (!granted(after) || (writable && read_only))) {
        fetch_clear(status(ref), GTF_reading | GTF_writing);
        return GNTST_general_error;
    }
    if (active.pins.any() && read_only) {
        fetch_clear(status(ref), GTF_writing);
        return GNTST_general_error;
    }
    return GNTST_okay;
}

void GrantTable::clear_flags(GrantRef ref, const ActiveGrant& active, bool writable) {
    std::uint32_t clear = 0;
    if (writable && !active.pins.writable()) clear |= GTF_writing;
    if (!active.pins.any()) clear |= GTF_reading;
    if (clear != 0) fetch_clear(status(ref), clear);
}

bool GrantTable::transitive(GrantRef ref) const { return version_ == 2 && head(entry(ref)).type() == GTF_transitive; }

GrantStatus GrantTable::look_up(GrantRef ref, ActiveGrant& active, Domain& peer, bool writable) {
    ActiveGrant found{.pins = active.pins, .peer = peer.id};
    std::uint64_t frame = 0;
    if (version_ == 1) {
        frame = shared::raw::load<std::uint32_t>(entry(ref) + offsetof(grant_entry_v1_t, frame));
    } else {
        grant_entry_v2_t copy;
        shared::raw::copy_from_page(entry(ref), reinterpret_cast<std::byte*>(&copy), sizeof copy);
        frame = copy.full_page.frame;
        if ((copy.hdr.flags & GTF_sub_page) != 0) {
            found.sub_page = true;
            found.start = copy.sub_page.page_off;
            found.length = copy.sub_page.length;
        }
    }
    const auto mfn = host_.guest_frame(domain_, frame);
    if (!mfn) {
        clear_flags(ref, active, writable);
        return GNTST_bad_page;
    }
    found.mfn = *mfn;
    active = found;
    return GNTST_okay;
}

GrantStatus GrantTable::still_grants(GrantRef ref, const ActiveGrant& active) {
    std::uint64_t frame = 0;
    if (version_ == 1)
        frame = shared::raw::load<std::uint32_t>(entry(ref) + offsetof(grant_entry_v1_t, frame));
    else
        frame = shared::raw::load<std::uint64_t>(entry(ref) + offsetof(grant_entry_v2_t, full_page.frame));
    const auto mfn = host_.guest_frame(domain_, frame);
    if (mfn && *mfn == active.mfn) return GNTST_okay;
    clear_flags(ref, active, true);
    return mfn ? GNTST_general_error : GNTST_bad_page;
}

GrantStatus GrantTable::follow(GrantRef ref, ActiveGrant& active, Domain& peer, bool writable) {
    grant_entry_v2_t copy;
    shared::raw::copy_from_page(entry(ref), reinterpret_cast<std::byte*>(&copy), sizeof copy);
    const DomId dom{copy.transitive.trans_domid};
    const GrantRef behind_ref{copy.transitive.gref};
    Domain* behind = dom == domain_.id ? nullptr : host_.find(dom);
    GrantStatus result = GNTST_general_error;
    if (behind) result = behind->grants.pin(behind_ref, domain_, writable, PinUse::copy, false);
    if (result != GNTST_okay) {
        clear_flags(ref, active, writable);
        return result;
    }
    const ActiveGrant& theirs = behind->grants.active(behind_ref);
    if (active.pins.any() && (active.mfn != theirs.mfn || active.behind != behind || active.behind_ref != behind_ref)) {
        behind->grants.unpin(behind_ref, domain_, writable, PinUse::copy);
        host_.put_frame(theirs.mfn);
        clear_flags(ref, active, writable);
        return GNTST_general_error;
    }
    active = ActiveGrant{.pins = active.pins,
                         .peer = peer.id,
                         .mfn = theirs.mfn,
                         .start = theirs.start,
                         .length = theirs.length,
                         .sub_page = true,
                         .behind = behind,
                         .behind_ref = behind_ref};
    return GNTST_okay;
}

GrantStatus GrantTable::pin(GrantRef ref, Domain& peer, bool writable, PinUse use, bool may_follow) {
    if (ref.value >= entries()) return GNTST_bad_gntref;
    ActiveGrant& active = active_[ref.value];
    if (active.pins.any() && (active.peer != peer.id || active.pins.may_overflow())) return GNTST_general_error;
    if (active.pins.any() && use == PinUse::map && active.sub_page) return GNTST_general_error;

    const bool taken = active.pins.any() && (!writable || active.pins.writable());
    if (!taken) {
        const GrantStatus s = set_status(ref, active, peer, writable, use);
        if (s != GNTST_okay) return s;
    }
    GrantStatus found = GNTST_okay;
    // Also one that was pinned as something else: Xen would try again for ever.
    if (transitive(ref) && use == PinUse::copy) {
        if (may_follow) {
            found = follow(ref, active, peer, writable);
        } else {
            clear_flags(ref, active, writable);
            found = GNTST_general_error;
        }
    } else if (!active.pins.any()) {
        found = look_up(ref, active, peer, writable);
    } else if (!taken && use == PinUse::copy) {
        found = still_grants(ref, active);
    }
    if (found != GNTST_okay) return found;
    if (writable && !host_.page_types.may_be_written(active.mfn)) {
        if (Domain* behind = active.behind) {
            behind->grants.unpin(active.behind_ref, domain_, writable, PinUse::copy);
            host_.put_frame(active.mfn);
        }
        clear_flags(ref, active, writable);
        return GNTST_general_error;
    }
    ++counter(active.pins, writable);
    host_.memory.get(active.mfn);
    observe(ref, peer, writable, use, true);
    return GNTST_okay;
}

void GrantTable::pin_device(GrantRef ref, Domain& peer, bool writable) {
    ActiveGrant& active = active_[ref.value];
    ++counter(active.pins, writable, true);
    host_.memory.get(active.mfn);
    observe(ref, peer, writable, PinUse::map, true);
}

void GrantTable::device_alone(GrantRef ref, bool writable) {
    Pins& pins = active_[ref.value].pins;
    --counter(pins, writable);
    ++counter(pins, writable, true);
}

void GrantTable::unpin(GrantRef ref, Domain& peer, bool writable, PinUse use, bool device) {
    ActiveGrant& active = active_[ref.value];
    std::uint8_t& pins = counter(active.pins, writable, device);
    check(pins != 0, "a grant is unpinned as often as it was pinned");
    // A peer may have written until now.
    if (writable && !active.behind) host_.mark_dirty(domain_, active.mfn);
    --pins;
    clear_flags(ref, active, writable);
    observe(ref, peer, writable, use, false);
    if (Domain* behind = active.behind) {
        behind->grants.unpin(active.behind_ref, domain_, writable, PinUse::copy);
        host_.put_frame(active.mfn);
    }
}

void GrantTable::observe(GrantRef ref, Domain& peer, bool writable, PinUse use, bool pinned) {
    if (!host_.observer) [[likely]]
        return;
    const GrantPin pin{domain_.id, ref, peer.id, active_[ref.value].mfn, writable, use};
    pinned ? host_.observer->grant_pinned(pin) : host_.observer->grant_unpinned(pin);
}

}  // namespace xenrig::hypervisor
