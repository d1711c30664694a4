// A PV guest's machine frames: the list that says which one stands behind each of its own frame numbers, and the page
// tables by which it sees them.
//
// Its pages lie one to one from `virt_base` on; behind its RAM, at the numbers that it has nothing for, it maps what is
// not its memory: shared_info, grant frames, grants of others. A page table is mapped read-only, and changed by
// hypercalls alone (mmu_update, update_va_mapping: xen.h). Machine frames are of one domain, so that after a migration
// the list is another one.
#pragma once

#include <cstdint>
#include <vector>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"
#include "xenrig/guest/domain_link.h"
#include "xenrig/guest/gfn_pool.h"
#include "xenrig/guest/memory.h"

namespace xenrig::guest {

struct PvLayout {
    /// Where the kernel is linked to (XEN_ELFNOTE_VIRT_BASE).
    std::uint64_t virt_base = 0;
    /// Frames of its RAM, mapped at the start, that it keeps for page tables.
    GfnRange tables;
};

class PvMemory {
public:
    PvMemory(DomainLink& link, GuestMemory& memory, const PvLayout& layout, GfnRange window);

    struct Start {
        /// start_info's pt_base, mfn_list and nr_pages.
        std::uint64_t top_table = 0, list = 0, pages = 0;
    };
    /// In a new domain: takes up the list. In the first one it maps the rest of its RAM, and makes tables for the
    /// window. EINVAL for what no start page says.
    Result<> start(const Start& start);

    std::uint64_t linear(Gfn gfn) const { return layout_.virt_base + gfn.value * kPageSize; }
    Result<Gfn> page_of(std::uint64_t linear) const;
    Gfn top_table() const { return top_; }
    /// The frame behind one of its own pages.
    Mfn mfn(Gfn gfn);
    /// ENOENT for a frame that is not its own.
    Result<Gfn> gfn(Mfn mfn);

    /// What is not its memory, writable at a page of the window; and nothing there.
    Result<> map(Gfn gfn, Mfn mfn);
    Result<> unmap(Gfn gfn);

private:
    using Entry = std::uint64_t;
    static constexpr std::uint64_t kEntries = kPageSize / sizeof(Entry);

    Result<> take_up_list(const Start& start);
    /// A table for each 2 MiB of these pages that has none; of RAM it maps them.
    Result<> make_tables(std::uint64_t first, std::uint64_t count);
    Result<Gfn> below(Gfn table, unsigned index, const std::vector<Entry>& fresh);
    Result<Gfn> make_table(const std::vector<Entry>& entries);
    std::vector<Entry> entries_for(std::uint64_t first);
    Result<> set_entry(std::uint64_t linear, Entry entry, const char* what);

    DomainLink& link_;
    GuestMemory& memory_;
    const PvLayout layout_;
    const GfnRange window_;
    std::vector<shared::Window> list_;
    std::uint64_t pages_ = 0;
    Gfn top_;
    std::uint64_t tables_made_ = 0;
    bool mapped_ = false;
};

}  // namespace xenrig::guest
