// GNTTABOP_set_version and swap_grant_ref: what changes a table's entries from outside (grant_table.c).
#include <algorithm>
#include <array>
#include <cstring>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/grant_table.h"
#include "sim/hypervisor/host.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

namespace {

using Reserved = std::array<grant_entry_v1_t, GNTTAB_NR_RESERVED_ENTRIES>;

template <class T>
T fetch(const std::byte* at) {
    T copy;
    shared::raw::copy_from_page(at, reinterpret_cast<std::byte*>(&copy), sizeof copy);
    return copy;
}
template <class T>
void put(std::byte* at, const T& value) {
    shared::raw::copy_to_page(at, reinterpret_cast<const std::byte*>(&value), sizeof value);
}

/// An entry of version 2 as version 1 has it; what is no plain grant of a page is lost.
grant_entry_v1_t narrowed(const grant_entry_v2_t& entry, grant_status_t status) {
    grant_entry_v1_t v1{};
    if ((entry.hdr.flags & GTF_type_mask) != GTF_permit_access) return v1;
    v1.flags = static_cast<std::uint16_t>(entry.hdr.flags | status);
    v1.domid = entry.hdr.domid;
    v1.frame = static_cast<std::uint32_t>(entry.full_page.frame);
    return v1;
}

bool fits_version_1(const grant_entry_v2_t& entry) {
    const unsigned type = entry.hdr.flags & GTF_type_mask;
    return type != GTF_transitive && (type != GTF_permit_access || entry.full_page.frame >> 32 == 0);
}

}  // namespace

std::int64_t GrantTable::set_version(unsigned version) {
    if (version != 1 && version != 2) return -error(Errno::inval);
    if (version == version_) return 0;
    // The first eight may be in use: store and console are mapped all the time.
    for (std::uint32_t ref = GNTTAB_NR_RESERVED_ENTRIES; ref < entries(); ++ref)
        if (active_[ref].pins.any()) return -error(Errno::busy);
    if (version == 2 && !add_status_frames(status_frames_for(frames()))) return -error(Errno::nomem);

    Reserved reserved{};
    for (std::uint32_t ref = 0; ref < reserved.size(); ++ref) {
        if (version_ == 1) {
            reserved[ref] = fetch<grant_entry_v1_t>(entry(GrantRef{ref}));
            continue;
        }
        const auto v2 = fetch<grant_entry_v2_t>(entry(GrantRef{ref}));
        if (!fits_version_1(v2)) return -error(Errno::range);
        reserved[ref] = narrowed(v2, fetch<grant_status_t>(status(GrantRef{ref})));
    }
    if (version == 1) {
        // Somebody maps one: it can't be freed (gnttab_unpopulate_status_frames).
        const auto mapped = [this](Mfn mfn) { return host_.memory.uses(mfn) > 1; };
        if (std::ranges::any_of(status_frames_, mapped)) return -error(Errno::busy);
        drop_status_frames();
    }
    constexpr std::array<std::byte, kPageSize> kZeroes{};
    for (std::byte* page : pages_) put(page, kZeroes);

    version_ = version;
    constexpr std::uint16_t kInUse = GTF_reading | GTF_writing;
    for (std::uint32_t ref = 0; ref < reserved.size(); ++ref) {
        const grant_entry_v1_t& kept = reserved[ref];
        if (version == 1) {
            put(entry(GrantRef{ref}), kept);
            continue;
        }
        grant_entry_v2_t v2{};
        v2.full_page.hdr.flags = static_cast<std::uint16_t>(kept.flags & ~kInUse);
        v2.full_page.hdr.domid = kept.domid;
        v2.full_page.frame = kept.frame;
        put(entry(GrantRef{ref}), v2);
        put(status(GrantRef{ref}), static_cast<grant_status_t>(kept.flags & kInUse));
    }
    return 0;
}

GrantStatus GrantTable::swap(GrantRef a, GrantRef b) {
    if (a.value >= entries() || b.value >= entries()) return GNTST_bad_gntref;
    if (a == b) return GNTST_okay;
    if (active_[a.value].pins.any() || active_[b.value].pins.any()) return GNTST_eagain;
    const auto exchange = [&]<class T>(T, std::byte* x, std::byte* y) {
        const T old = fetch<T>(x);
        put(x, fetch<T>(y));
        put(y, old);
    };
    if (version_ == 1) {
        exchange(grant_entry_v1_t{}, entry(a), entry(b));
    } else {
        exchange(grant_entry_v2_t{}, entry(a), entry(b));
        exchange(grant_status_t{}, status(a), status(b));
    }
    return GNTST_okay;
}

}  // namespace xenrig::hypervisor
