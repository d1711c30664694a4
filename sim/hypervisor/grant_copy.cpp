// GNTTABOP_copy (grant_table.c: gnttab_copy_one): each side is a frame of the caller's own or somebody's grant.
#include <cstring>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/grant_table.h"
#include "sim/hypervisor/host.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

namespace {

/// One side of a copy, held as long as it lasts.
class Side {
public:
    explicit Side(Domain& caller) : caller_(caller) {}
    Side(const Side&) = delete;
    Side& operator=(const Side&) = delete;
    ~Side() {
        if (pinned_) domain_->grants.unpin(ref_, caller_, writable_, PinUse::copy);
        if (held_) caller_.host.put_frame(mfn_);
    }

    bool find(domid_t dom) {
        self_ = dom == DOMID_SELF;
        domain_ = caller_.host.find_any(DomId{dom}, caller_);
        return domain_ != nullptr;
    }

    GrantStatus hold(GrantRef ref, std::uint64_t gmfn, bool by_ref, bool writable) {
        // Frames are named by the caller alone, and for itself alone.
        if (!by_ref && !self_) return GNTST_permission_denied;
        if (by_ref) {
            const GrantStatus status = domain_->grants.pin(ref, caller_, writable, PinUse::copy);
            if (status != GNTST_okay) return status;
            pinned_ = true;
            ref_ = ref;
            writable_ = writable;
            const ActiveGrant& active = domain_->grants.active(ref);
            mfn_ = active.mfn;
            start_ = active.start;
            length_ = active.length;
        } else {
            const auto mfn = caller_.host.guest_frame(*domain_, gmfn);
            if (!mfn) return GNTST_bad_page;
            if (writable && !caller_.host.page_types.may_be_written(*mfn)) return GNTST_general_error;
            mfn_ = *mfn;
            caller_.host.memory.get(mfn_);
        }
        held_ = true;
        return GNTST_okay;
    }

    /// Are these bytes among those that may be used?
    bool covers(std::uint32_t offset, std::uint32_t length) const {
        return offset >= start_ && offset + length <= std::uint32_t{start_} + length_;
    }
    void mark_dirty() const {
        if (Domain* owner = caller_.host.find(caller_.host.memory.owner(mfn_))) caller_.host.mark_dirty(*owner, mfn_);
    }
    Mfn mfn() const { return mfn_; }

private:
    Domain& caller_;
    Domain* domain_ = nullptr;
    Mfn mfn_{};
    GrantRef ref_{};
    std::uint16_t start_ = 0, length_ = kPageSize;
    bool self_ = false, writable_ = false, pinned_ = false, held_ = false;
};

void copy_bytes(std::byte* to, const std::byte* from, std::size_t length) {
#if defined(XENRIG_TSAN)
    // Both pages are shared with running guests, and ThreadSanitizer must know that we know.
    while (length != 0) {
        std::byte part[256];
        const std::size_t n = std::min(length, sizeof part);
        shared::raw::copy_from_page(from, part, n);
        shared::raw::copy_to_page(to, part, n);
        from += n, to += n, length -= n;
    }
#else
    if (to <= from || to >= from + length) {
        std::memmove(to, from, length);
        return;
    }
    // Two parts of one page that overlap: Xen's memcpy goes forward by words, and reads what it has just written.
    for (std::uint64_t word = 0; length >= sizeof word; length -= sizeof word) {
        std::memcpy(&word, from, sizeof word);
        std::memcpy(to, &word, sizeof word);
        from += sizeof word, to += sizeof word;
    }
    while (length-- != 0) *to++ = *from++;
#endif
}

}  // namespace

GrantStatus copy_grant(Domain& caller, const gnttab_copy_t& op) {
    Host& host = caller.host;
    const bool source_ref = (op.flags & GNTCOPY_source_gref) != 0;
    const bool dest_ref = (op.flags & GNTCOPY_dest_gref) != 0;
    // Released in the opposite order, like Xen's.
    Side dest(caller), source(caller);
    if (!source.find(op.source.domid) || !dest.find(op.dest.domid)) return GNTST_bad_domain;
    if (const GrantStatus s = source.hold(GrantRef{op.source.u.ref}, op.source.u.gmfn, source_ref, false);
        s != GNTST_okay)
        return s;
    if (const GrantStatus s = dest.hold(GrantRef{op.dest.u.ref}, op.dest.u.gmfn, dest_ref, true); s != GNTST_okay)
        return s;
    if (op.source.offset + op.len > kPageSize || op.dest.offset + op.len > kPageSize) return GNTST_bad_copy_arg;
    if (!source.covers(op.source.offset, op.len) || !dest.covers(op.dest.offset, op.len)) return GNTST_general_error;

    copy_bytes(host.memory.page(dest.mfn()) + op.dest.offset, host.memory.page(source.mfn()) + op.source.offset,
               op.len);
    dest.mark_dirty();
    if (host.observer) [[unlikely]]
        host.observer->copied(caller.id, source.mfn(), dest.mfn(), op.len);
    return GNTST_okay;
}

}  // namespace xenrig::hypervisor
