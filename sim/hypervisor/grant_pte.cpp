// Grants in the page tables of a PV guest (x86/pv/grant_table.c: create_ and replace_grant_pv_mapping,
// steal_linear_address).
#include "sim/hypervisor/grant_pte.h"

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/page_walk.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

struct Slot {
    Mfn table;
    unsigned index;
};

/// Where the entry is: the address is its own, or the one that it maps.
std::optional<Slot> find(Vcpu& v, std::uint64_t address, std::uint32_t flags) {
    if ((flags & GNTMAP_contains_pte) != 0) {
        if (address % sizeof(std::uint64_t) != 0) return std::nullopt;
        const auto table = v.host.guest_frame(v.domain, address / kPageSize);
        if (!table || v.host.page_types.type(*table) != FrameType::l1) return std::nullopt;
        return Slot{*table, static_cast<unsigned>(address % kPageSize / sizeof(std::uint64_t))};
    }
    const auto at = walk(v, address);
    if (!at || v.host.page_types.type(at->table) != FrameType::l1) return std::nullopt;
    return Slot{at->table, at->index};
}

std::uint32_t entry_flags(std::uint32_t flags) {
    std::uint32_t e = kPresent | kAccessed | kDirtyBit;
    if ((flags & GNTMAP_application_map) != 0) e |= kUser;
    if ((flags & GNTMAP_readonly) == 0) e |= kWritable;
    constexpr unsigned kGuestBits = 16, kEntryBits = 9;
    return e | (flags >> kGuestBits << kEntryBits & kAvailable);
}

}  // namespace

bool uses_page_tables(const Vcpu& v, std::uint32_t flags) {
    return !v.domain.translated() && (v.page_tables.has_value() || (flags & GNTMAP_contains_pte) != 0);
}

GrantStatus place_in_tables(Vcpu& v, std::uint64_t address, Mfn mfn, std::uint32_t flags, Domain& owner) {
    PageTypes& types = v.host.page_types;
    const auto slot = find(v, address, flags);
    if (!slot) return GNTST_general_error;
    const bool writable = (flags & GNTMAP_readonly) == 0;
    if (!types.get_frame(mfn, owner)) return GNTST_general_error;
    if (writable && !types.get_writable(mfn, owner)) {
        types.put_frame(mfn);
        return GNTST_general_error;
    }
    const auto e = PageTableEntry::of(mfn, entry_flags(flags));
    types.replace(slot->table, slot->index, adjusted(e, 1, v.domain.config.bits == 64));
    return GNTST_okay;
}

GrantStatus take_from_tables(Vcpu& v, std::uint64_t address, Mfn mfn, std::uint32_t flags, std::uint64_t new_address) {
    PageTypes& types = v.host.page_types;
    if ((flags & GNTMAP_contains_pte) != 0 && new_address != 0) return GNTST_general_error;
    const auto slot = find(v, address, flags);
    if (!slot) return GNTST_general_error;
    const PageTableEntry was = types.entry(slot->table, slot->index);
    const bool read_only = (flags & GNTMAP_readonly) != 0;
    if (!was.present() || was.mfn() != mfn || was.writable() == read_only) return GNTST_general_error;
    PageTableEntry next{};
    if (new_address != 0) {
        const auto from = find(v, new_address, 0);
        if (!from || (from->table == slot->table && from->index == slot->index)) return GNTST_general_error;
        next = types.take(from->table, from->index);
    }
    types.replace(slot->table, slot->index, next);
    return GNTST_okay;
}

}  // namespace xenrig::hypervisor
