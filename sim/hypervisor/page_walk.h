// A linear address through the page tables of a vCPU of a PV guest (x86/mm.c: map_guest_l1e; guest_walk_tables).
#pragma once

#include <cstdint>
#include <optional>

#include "sim/hypervisor/page_table_entry.h"

namespace xenrig::hypervisor {

class Vcpu;

struct Walked {
    /// The table of the last level, and the entry in it, present or not.
    Mfn table;
    unsigned index;
    PageTableEntry entry;
    /// Every level lets writes through.
    bool writable;
};

/// Nothing where a table is missing on the way, where Xen's own part begins, or where it has no tables at all.
std::optional<Walked> walk(const Vcpu& v, std::uint64_t address);

}  // namespace xenrig::hypervisor
