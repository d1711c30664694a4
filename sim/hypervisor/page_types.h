// What the frames of PV guests are used as: a frame is a page table, a descriptor table or writable, never two of them
// at a time, so that no guest writes its own page tables (x86/mm.c: get_page_type, put_page_type).
//
// A page table is looked through when it becomes one: each of its entries holds its frame, and the type that it needs.
// Only frames that somebody asked a type of, or that a page-table entry points to, are known here. Each reference that
// is held here is a use of the frame.
#pragma once

#include <cstdint>
#include <map>

#include "sim/hypervisor/page_table_entry.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class Domain;
class Host;

/// PGT_*; a level's number is its table's.
enum class FrameType : std::uint8_t { none, l1, l2, l3, l4, descriptors, writable };
constexpr FrameType table_type(unsigned level) { return static_cast<FrameType>(level); }
constexpr unsigned level_of(FrameType type) { return type <= FrameType::l4 ? static_cast<unsigned>(type) : 0; }

class PageTypes {
public:
    explicit PageTypes(Host& host) : host_(host) {}

    /// One reference and one use as `type` more. 0 or a negated Errno: the frame is not the domain's, or is used as
    /// something else, or it does not pass as such a table.
    std::int64_t get(Mfn mfn, Domain& owner, FrameType type);
    void put(Mfn mfn);
    /// A reference alone: false when it is not the domain's.
    bool get_frame(Mfn mfn, const Domain& owner);
    void put_frame(Mfn mfn);
    FrameType type(Mfn mfn) const;
    bool pinned(Mfn mfn) const;

    /// A table that stays one while nothing points to it: EINVAL when it is already, or is no such table.
    std::int64_t pin(Mfn mfn, Domain& owner, unsigned level);
    std::int64_t unpin(Mfn mfn);
    /// Of a domain's tables, when it ends; what others hold stays.
    void unpin_all(const Domain& owner);

    /// Puts a new entry where one of a table of `tables_of` is. What it maps must be `pages_of`'s.
    std::int64_t change(Mfn table, unsigned index, PageTableEntry to, bool keep_accessed_dirty, Domain& tables_of,
                        Domain& pages_of);
    /// The same without looking what it maps: the caller holds frame and type for it. What was there is put.
    void replace(Mfn table, unsigned index, PageTableEntry to);
    /// Into a page that is no page table.
    void replace_word(Mfn mfn, unsigned index, PageTableEntry to) { write(mfn, index, to); }
    /// The type alone, for who has a reference; false for what is no such thing.
    bool get_writable(Mfn mfn, Domain& owner) { return get_type(mfn, owner, FrameType::writable) == 0; }
    /// Is it neither a page table nor descriptors?
    bool may_be_written(Mfn mfn) const {
        const FrameType t = type(mfn);
        return t == FrameType::none || t == FrameType::writable;
    }
    /// Without putting what was there, which becomes the caller's.
    PageTableEntry take(Mfn table, unsigned index);
    PageTableEntry entry(Mfn table, unsigned index) const;

    /// `visit(mfn, references)` of each frame, ascending: for the books.
    template <class F>
    void for_each(F visit) const {
        for (const auto& [mfn, use] : uses_) visit(Mfn{mfn}, use.references);
    }

private:
    struct Use {
        FrameType type = FrameType::none;
        bool pinned = false;
        std::uint32_t users = 0, references = 0;
    };
    std::int64_t get_type(Mfn mfn, Domain& owner, FrameType type);
    void put_type(Mfn mfn);
    std::int64_t validate(Mfn mfn, Domain& owner, unsigned level);
    void put_entries(Mfn mfn, unsigned level, unsigned count);
    std::int64_t hold(PageTableEntry e, unsigned level, const Domain& tables_of, Domain& pages_of);
    void let_go(PageTableEntry e, unsigned level);
    void write(Mfn table, unsigned index, PageTableEntry e);
    /// The hypervisor or a peer writes there without any page table.
    bool written_otherwise(Mfn mfn, const Domain& owner) const;
    void drop_if_unused(Mfn mfn);

    Host& host_;
    std::map<std::uint64_t, Use> uses_;
};

/// Which entries of a table are the guest's: the highest half of a 64-bit guest's address space begins with Xen's own.
bool guests_slot(const Domain& d, unsigned level, unsigned index);
constexpr unsigned entries_of(bool bits_64, unsigned level) { return !bits_64 && level == 3 ? 4 : 512; }
/// The level of a domain's top table.
unsigned top_level(const Domain& d);

}  // namespace xenrig::hypervisor
