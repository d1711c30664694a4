// The requests of a hostile frontend: well formed as long as the input's numbers are, and what is wrong with them.
#include "sim/fuzz/hostile_frontend.h"

#include <algorithm>
#include <cstring>

#include <xen/io/blkif.h>

#include "sim/fuzz/peer_values.h"

namespace xenrig::fuzz {

namespace {

/// No table is so large.
constexpr std::uint32_t kNoGrant = 0xffffffff;

template <class T>
void store_field(std::vector<std::byte>& bytes, std::size_t at, T value) {
    if (at + sizeof value <= bytes.size()) std::memcpy(bytes.data() + at, &value, sizeof value);
}

}  // namespace

std::uint32_t HostileFrontend::gref(Input& input) {
    const std::uint8_t which = input.byte();
    if (which < kPages) return pages_[which] ? pages_[which]->grant.ref().value : 0;
    if (which == kPages) return ring().pages.empty() ? 0 : ring().pages[0].grant.ref().value;
    if (which == kPages + 1) return kNoGrant;
    return static_cast<std::uint32_t>(which - kPages - 2);
}

std::vector<std::byte> HostileFrontend::request(Input& input) {
    std::vector<std::byte> bytes(slot_bytes());
    const bool native = !setting_.x86_32;
    const std::size_t id_at = native ? 8 : 4, sector_at = native ? 16 : 12, segments_at = native ? 24 : 20;
    const std::uint8_t operation = input.byte();
    store_field(bytes, 0, operation);
    store_field(bytes, id_at, next_id_++);
    store_field(bytes, sector_at, any_number(input));
    if (operation == BLKIF_OP_DISCARD) {
        store_field(bytes, 1, input.byte());
        store_field(bytes, segments_at, any_number(input));
        return bytes;
    }
    if (operation == BLKIF_OP_INDIRECT) {
        store_field(bytes, 1, input.byte());
        store_field(bytes, 2, static_cast<std::uint16_t>(any_number(input)));
        const std::size_t pages = std::min(1u + input.byte(), 8u);
        for (std::size_t i = 0; i < pages; ++i) store_field(bytes, segments_at + 4 + 4 * i, gref(input));
        return bytes;
    }
    const std::uint8_t segments = input.byte();
    store_field(bytes, 1, segments);
    for (std::size_t i = 0; i < std::min<std::size_t>(segments, 11); ++i) {
        const std::size_t at = segments_at + 8 * i;
        store_field(bytes, at, gref(input));
        const std::uint8_t range = input.byte();
        store_field(bytes, at + 4, static_cast<std::uint8_t>(range & 15));
        store_field(bytes, at + 5, static_cast<std::uint8_t>(range >> 4));
    }
    return bytes;
}

const HostileFrontend::Page* HostileFrontend::page_of(std::uint32_t gref) const {
    const auto found = std::ranges::find_if(
        pages_, [gref](const std::optional<Page>& page) { return page && page->grant.ref().value == gref; });
    return found == pages_.end() ? nullptr : &**found;
}

bool HostileFrontend::may_reach_ring(const RequestView& request) const {
    if (request.writes()) return false;
    if (request.operation == BLKIF_OP_INDIRECT) return true;
    return !std::ranges::all_of(request.segments, [this](const RequestView::Segment& s) {
        return s.gref == kNoGrant || page_of(s.gref) != nullptr;
    });
}

std::string HostileFrontend::nonsense_of(const RequestView& request) const {
    if (!setting_.disk) return {};
    if (std::string wrong = nonsense(request, *setting_.disk); !wrong.empty()) return wrong;
    for (const RequestView::Segment& s : request.segments) {
        if (s.gref == kNoGrant) return "of a page without a grant";
        const Page* page = page_of(s.gref);
        if (page && page->strangers) return "of a page that is granted to somebody else";
        if (page && page->read_only && !request.writes()) return "of a page that may only be read";
    }
    return {};
}

}  // namespace xenrig::fuzz
