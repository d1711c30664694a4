#include "sim/hypervisor/grant_table.h"

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "xenrig/abi/check.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint32_t kEntriesPerFrame = kPageSize / sizeof(grant_entry_v1_t);
/// Xen adds room for handles by the page: 16 bytes each.
constexpr std::size_t kTracksPerPage = kPageSize / 16;
constexpr std::uint32_t kEnd = ~0u;

/// Flags and domid are read and exchanged as one word, since the guest changes both.
struct Head {
    std::uint16_t flags;
    std::uint16_t domid;

    explicit Head(std::uint32_t word)
        : flags(static_cast<std::uint16_t>(word)), domid(static_cast<std::uint16_t>(word >> 16)) {}
    std::uint32_t word() const { return flags | static_cast<std::uint32_t>(domid) << 16; }
};

std::byte* bytes(grant_entry_v1_t* entry) { return reinterpret_cast<std::byte*>(entry); }

std::uint8_t& counter(Pins& pins, bool writable) { return writable ? pins.host_rw : pins.host_ro; }

}  // namespace

GrantTable::GrantTable(Host& host, Domain& domain) : host_(host), domain_(domain) {}

unsigned GrantTable::frames_max() const { return domain_.config.max_grant_frames; }

bool GrantTable::init() {
    free_.resize(domain_.config.vcpus);
    return grow(1);
}

bool GrantTable::grow(unsigned frames) {
    while (frames_.size() < frames) {
        const auto mfn = host_.special_frame(domain_);
        if (!mfn) return false;
        frames_.push_back(*mfn);
        pages_.push_back(reinterpret_cast<grant_entry_v1_t*>(host_.memory.page(*mfn)));
        active_.resize(active_.size() + kEntriesPerFrame);
    }
    return true;
}

void GrantTable::release_frames() {
    for (const Mfn mfn : frames_) host_.put_frame(mfn);
    frames_ = {};
    pages_ = {};
    active_ = {};
    tracks_ = {};
}

grant_entry_v1_t* GrantTable::entry(GrantRef ref) const {
    return pages_[ref.value / kEntriesPerFrame] + ref.value % kEntriesPerFrame;
}

GrantStatus GrantTable::set_status(GrantRef ref, const ActiveGrant& active, const Domain& peer, bool writable,
                                   PinUse use) {
    // The guest may change the entry between our load and our exchange, for a good reason (GTF_readonly) or to hold us
    // up; five tries tell the two apart.
    constexpr int kTries = 5;
    const std::uint16_t mask = use == PinUse::map ? GTF_type_mask | GTF_sub_page : GTF_type_mask;
    std::byte* at = bytes(entry(ref));
    Head seen{shared::raw::load<std::uint32_t>(at)};
    for (int i = 0; i < kTries; ++i) {
        if (!active.pins.any() && ((seen.flags & mask) != GTF_permit_access || seen.domid != peer.id.value))
            return GNTST_general_error;
        if (writable && (seen.flags & GTF_readonly) != 0) return GNTST_general_error;
        Head wanted = seen;
        wanted.flags = static_cast<std::uint16_t>(wanted.flags | GTF_reading | (writable ? GTF_writing : 0u));
        const auto was = shared::raw::rmw<std::uint32_t>(at, shared::Rmw::compare_exchange, wanted.word(), seen.word());
        if (was == seen.word()) return GNTST_okay;
        seen = Head{was};
    }
    return GNTST_general_error;
}

void GrantTable::clear_flags(GrantRef ref, const ActiveGrant& active, bool writable) {
    std::uint32_t clear = 0;
    if (writable && !active.pins.writable()) clear |= GTF_writing;
    if (!active.pins.any()) clear |= GTF_reading;
    if (clear != 0)
        shared::raw::rmw<std::uint16_t>(bytes(entry(ref)), shared::Rmw::fetch_and, static_cast<std::uint16_t>(~clear),
                                        std::uint16_t{0});
}

GrantStatus GrantTable::pin(GrantRef ref, Domain& peer, bool writable, PinUse use) {
    if (ref.value >= entries()) return GNTST_bad_gntref;
    ActiveGrant& active = active_[ref.value];
    if (active.pins.any() && (active.peer != peer.id || active.pins.may_overflow())) return GNTST_general_error;

    if (!active.pins.any() || (writable && !active.pins.writable())) {
        if (const GrantStatus status = set_status(ref, active, peer, writable, use); status != GNTST_okay)
            return status;
        if (!active.pins.any()) {
            const auto frame = shared::raw::load<std::uint32_t>(bytes(entry(ref)) + offsetof(grant_entry_v1_t, frame));
            const auto mfn = host_.guest_frame(domain_, frame);
            if (!mfn) {
                clear_flags(ref, active, writable);
                return GNTST_bad_page;
            }
            active.peer = peer.id;
            active.mfn = *mfn;
        }
    }
    ++counter(active.pins, writable);
    host_.memory.get(active.mfn);
    observe(ref, peer, writable, use, true);
    return GNTST_okay;
}

void GrantTable::unpin(GrantRef ref, Domain& peer, bool writable, PinUse use) {
    ActiveGrant& active = active_[ref.value];
    std::uint8_t& pins = counter(active.pins, writable);
    check(pins != 0, "a grant is unpinned as often as it was pinned");
    // A peer may have written until now.
    if (writable) host_.mark_dirty(domain_, active.mfn);
    --pins;
    clear_flags(ref, active, writable);
    observe(ref, peer, writable, use, false);
}

void GrantTable::observe(GrantRef ref, Domain& peer, bool writable, PinUse use, bool pinned) {
    if (!host_.observer) [[likely]]
        return;
    const GrantPin pin{domain_.id, ref, peer.id, active_[ref.value].mfn, writable, use};
    pinned ? host_.observer->grant_pinned(pin) : host_.observer->grant_unpinned(pin);
}

void GrantTable::mark_writable_dirty() {
    for (const ActiveGrant& active : active_)
        if (active.pins.writable()) host_.mark_dirty(domain_, active.mfn);
}

std::optional<std::uint32_t> GrantTable::pop_free(std::size_t vcpu) {
    FreeList& list = free_[vcpu];
    if (list.head == kEnd) return std::nullopt;
    const std::uint32_t index = list.head;
    // One entry always stays, so that there is a tail to append to.
    if (tracks_[index].next_free == kEnd) return std::nullopt;
    list.head = tracks_[index].next_free;
    return index;
}

std::optional<GrantHandle> GrantTable::take_handle(const Vcpu& vcpu) {
    const std::size_t v = vcpu.id.value;
    if (const auto index = pop_free(v)) return handle_at(*index);

    if (tracks_.size() / kTracksPerPage < domain_.config.max_maptrack_frames) {
        const auto first = static_cast<std::uint32_t>(tracks_.size());
        tracks_.resize(first + kTracksPerPage);
        const auto last = static_cast<std::uint32_t>(tracks_.size()) - 1;
        for (std::uint32_t i = first; i <= last; ++i) {
            tracks_[i].next_free = i + 1;
            tracks_[i].vcpu = static_cast<std::uint16_t>(v);
        }
        FreeList& list = free_[v];
        if (list.tail == kEnd) list.tail = last;
        tracks_[last].next_free = list.head;
        list.head = first + 1;
        return handle_at(first);
    }
    // The limit is reached: another vCPU's list may still have one. Xen begins at a random vCPU, we at the next.
    for (std::size_t i = 1; i < free_.size(); ++i) {
        if (const auto index = pop_free((v + i) % free_.size())) {
            tracks_[*index].vcpu = static_cast<std::uint16_t>(v);
            if (free_[v].tail != kEnd) return handle_at(*index);
            // The first one of an empty list is its tail.
            tracks_[*index].next_free = kEnd;
            free_[v] = {*index, *index};
            return take_handle(vcpu);
        }
    }
    return std::nullopt;
}

void GrantTable::give_handle_back(GrantHandle handle) {
    GrantTrack& entry = *track(handle);
    const auto index = static_cast<std::uint32_t>(&entry - tracks_.data());
    FreeList& list = free_[entry.vcpu];
    entry.flags = 0;
    entry.next_free = kEnd;
    tracks_[list.tail].next_free = index;
    list.tail = index;
}

GrantTrack* GrantTable::track(GrantHandle handle) {
    const std::uint32_t index = handle.value - host_.config.first_handle.value;
    return index < tracks_.size() ? &tracks_[index] : nullptr;
}

GrantHandle GrantTable::handle_at(std::size_t index) const {
    return GrantHandle{static_cast<std::uint32_t>(index) + host_.config.first_handle.value};
}

}  // namespace xenrig::hypervisor
