// Grants in the page tables of a PV guest: a mapping is an entry, at a linear address or by the entry's own machine
// address (GNTMAP_contains_pte).
#pragma once

#include <cstdint>

#include "sim/hypervisor/grant_table.h"

namespace xenrig::hypervisor {

/// A PV guest that has no tables yet maps at its gfns instead.
bool uses_page_tables(const Vcpu& v, std::uint32_t flags);
/// What stood in the entry is let go.
GrantStatus place_in_tables(Vcpu& v, std::uint64_t address, Mfn mfn, std::uint32_t flags, Domain& owner);
/// The entry must be the one that was made. With a new address, the entry of that one takes its place.
GrantStatus take_from_tables(Vcpu& v, std::uint64_t address, Mfn mfn, std::uint32_t flags, std::uint64_t new_address);

}  // namespace xenrig::hypervisor
