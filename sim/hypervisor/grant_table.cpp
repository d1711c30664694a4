#include "sim/hypervisor/grant_table.h"

#include <algorithm>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint32_t kV1PerFrame = kPageSize / sizeof(grant_entry_v1_t);
constexpr std::uint32_t kV2PerFrame = kPageSize / sizeof(grant_entry_v2_t);
constexpr std::uint32_t kStatusPerFrame = kPageSize / sizeof(grant_status_t);
/// Xen adds room for handles by the page: 16 bytes each.
constexpr std::size_t kTracksPerPage = kPageSize / 16;
constexpr std::uint32_t kEnd = ~0u;

}  // namespace

GrantTable::GrantTable(Host& host, Domain& domain) : host_(host), domain_(domain) {}

unsigned GrantTable::frames_max() const { return domain_.config.max_grant_frames; }

bool GrantTable::init() {
    free_.resize(domain_.config.vcpus);
    return grow(1);
}

unsigned GrantTable::status_frames_for(unsigned frames) {
    return (frames * kV2PerFrame + kStatusPerFrame - 1) / kStatusPerFrame;
}

std::uint32_t GrantTable::entries() const { return frames() * (version_ == 1 ? kV1PerFrame : kV2PerFrame); }

bool GrantTable::grow(unsigned frames) {
    while (frames_.size() < frames) {
        const auto mfn = host_.special_frame(domain_);
        if (!mfn) return false;
        frames_.push_back(*mfn);
        pages_.push_back(host_.memory.page(*mfn));
        active_.resize(active_.size() + kV1PerFrame);
    }
    return version_ == 1 || add_status_frames(status_frames_for(frames));
}

bool GrantTable::add_status_frames(unsigned frames) {
    while (status_frames_.size() < frames) {
        const auto mfn = host_.special_frame(domain_);
        if (!mfn) return false;
        status_frames_.push_back(*mfn);
        status_pages_.push_back(host_.memory.page(*mfn));
    }
    return true;
}

void GrantTable::drop_status_frames() {
    for (const Mfn mfn : status_frames_) {
        if (const Gfn at = host_.memory.gfn(mfn); at != kNoGfn) host_.clear_physmap(domain_, at);
        host_.put_frame(mfn);
    }
    status_frames_.clear();
    status_pages_.clear();
}

void GrantTable::release_frames() {
    for (const auto& frames : {frames_, status_frames_})
        for (const Mfn mfn : frames) host_.put_frame(mfn);
    frames_ = {};
    status_frames_ = {};
    pages_ = {};
    status_pages_ = {};
    active_ = {};
    tracks_ = {};
}

std::byte* GrantTable::entry(GrantRef ref) const {
    const std::uint32_t per_frame = version_ == 1 ? kV1PerFrame : kV2PerFrame;
    return pages_[ref.value / per_frame] + ref.value % per_frame * (kPageSize / per_frame);
}

std::byte* GrantTable::status(GrantRef ref) const {
    if (version_ == 1) return entry(ref) + offsetof(grant_entry_v1_t, flags);
    return status_pages_[ref.value / kStatusPerFrame] + ref.value % kStatusPerFrame * sizeof(grant_status_t);
}

void GrantTable::mark_writable_dirty() {
    for (const ActiveGrant& active : active_)
        if (active.pins.writable()) host_.mark_dirty(domain_, active.mfn);
}

bool GrantTable::mapped_writable(Mfn mfn) const {
    return std::ranges::any_of(active_, [mfn](const ActiveGrant& g) { return g.mfn == mfn && g.pins.writable(); });
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
