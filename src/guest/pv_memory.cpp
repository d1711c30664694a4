#include "xenrig/guest/pv_memory.h"

#include <algorithm>
#include <cstddef>

#include "text.h"
#include "xenrig/abi/check.h"
#include "xenrig/shared/door.h"

extern "C" {
#include <xen/xen.h>
}

namespace xenrig::guest {

namespace {

constexpr std::uint64_t kPresent = 1 << 0, kWritable = 1 << 1, kUser = 1 << 2, kAccessed = 1 << 5, kDirty = 1 << 6;
constexpr std::uint64_t kInner = kPresent | kWritable | kUser | kAccessed | kDirty;
constexpr std::uint64_t kLeaf = kPresent | kWritable | kAccessed | kDirty;
constexpr unsigned kLevels = 4, kPageBits = 12, kIndexBits = 9;

constexpr std::uint64_t entry_of(Mfn mfn, std::uint64_t flags) { return mfn.value << kPageBits | flags; }
constexpr Mfn frame_in(std::uint64_t entry) { return Mfn{entry >> kPageBits & 0xff'ffff'ffff}; }

}  // namespace

PvMemory::PvMemory(DomainLink& link, GuestMemory& memory, const PvLayout& layout, GfnRange window)
    : link_(link), memory_(memory), layout_(layout), window_(window) {}

Result<Gfn> PvMemory::page_of(std::uint64_t linear) const {
    if (linear < layout_.virt_base || linear % kPageSize != 0)
        return fail(Errno::inval, "the start page names " + hex(linear) + ", which is no page of the kernel's memory");
    return Gfn{(linear - layout_.virt_base) / kPageSize};
}

Result<> PvMemory::start(const Start& start) {
    if (auto taken = take_up_list(start); !taken) return taken;
    const auto top = page_of(start.top_table);
    if (!top) return std::unexpected(top.error());
    top_ = *top;
    if (mapped_) return {};
    if (auto made = make_tables(0, pages_); !made) return made;
    if (auto made = make_tables(window_.first.value, window_.count); !made) return made;
    mapped_ = true;
    return {};
}

Result<> PvMemory::take_up_list(const Start& start) {
    const auto first = page_of(start.list);
    if (!first) return std::unexpected(first.error());
    if (start.pages == 0 || start.pages > window_.first.value)
        return fail(Errno::inval, "the start page gives the domain " + dec(start.pages) + " pages");
    list_.clear();
    for (std::uint64_t i = 0; i * kEntries < start.pages; ++i) {
        auto window = memory_.kernel_window(Gfn{first->value + i}, "machine frames " + dec(i));
        if (!window) return std::unexpected(window.error());
        list_.push_back(std::move(*window));
    }
    pages_ = start.pages;
    return {};
}

Mfn PvMemory::mfn(Gfn gfn) {
    check(gfn.value < pages_, "only the guest's own memory has machine frames in its list");
    const std::size_t offset = gfn.value % kEntries * sizeof(std::uint64_t);
    const auto frame = shared::load<std::uint64_t>(list_[gfn.value / kEntries], offset, shared::Fetch::poll);
    // The domain may have died meanwhile: what was read of it is nothing.
    return link_.alive() ? Mfn{frame} : Mfn{};
}

Result<Gfn> PvMemory::gfn(Mfn frame) {
    const Gfn said = link_.pv().machine_to_phys(frame);
    // Another domain's frame has a place as well, in that domain.
    if (said.value >= pages_ || mfn(said) != frame)
        return fail(Errno::noent, "machine frame " + hex(frame.value) + " is none of the domain's");
    return said;
}

// --- Page tables -----------------------------------------------------------------------------------------------------

std::vector<PvMemory::Entry> PvMemory::entries_for(std::uint64_t first) {
    std::vector<Entry> entries(kEntries);
    for (std::uint64_t i = 0; i < kEntries && first + i < pages_; ++i) {
        const Mfn frame = mfn(Gfn{first + i});
        entries[i] = entry_of(frame, kLeaf);
    }
    return entries;
}

Result<> PvMemory::make_tables(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t page = first; page < first + count; page += kEntries) {
        Gfn table = top_;
        for (unsigned level = kLevels; level > 1; --level) {
            const std::uint64_t address = linear(Gfn{page});
            const auto index = static_cast<unsigned>(address >> (kPageBits + kIndexBits * (level - 1)) & 511);
            const bool leaf = level == 2;
            const auto next = below(table, index, leaf ? entries_for(page) : std::vector<Entry>(kEntries));
            if (!next) return std::unexpected(next.error());
            table = *next;
        }
    }
    return {};
}

Result<Gfn> PvMemory::below(Gfn table, unsigned index, const std::vector<Entry>& fresh) {
    const auto window = memory_.kernel_window(table, "page table");
    if (!window) return std::unexpected(window.error());
    const auto entry = shared::load<Entry>(*window, index * sizeof(Entry), shared::Fetch::poll);
    if ((entry & kPresent) != 0) return gfn(frame_in(entry));

    const auto made = make_table(fresh);
    if (!made) return made;
    const Mfn above = mfn(table);
    const Mfn frame = mfn(*made);
    mmu_update_t update{.ptr = above.value * kPageSize + index * sizeof(Entry) + MMU_NORMAL_PT_UPDATE,
                        .val = entry_of(frame, kInner)};
    const std::int64_t answer = link_.call(__HYPERVISOR_mmu_update, &update, 1u, std::uint64_t{0}, DOMID_SELF);
    if (answer < 0) return std::unexpected(hypercall_error(answer, "mmu_update for a new page table"));
    return made;
}

Result<Gfn> PvMemory::make_table(const std::vector<Entry>& entries) {
    if (tables_made_ == layout_.tables.count)
        return fail(Errno::nomem, "the kernel keeps " + dec(layout_.tables.count) + " frames for page tables, no more");
    const Gfn gfn{layout_.tables.first.value + tables_made_++};
    const auto window = memory_.kernel_window(gfn, "new page table");
    if (!window) return std::unexpected(window.error());
    shared::copy_in(*window, 0, entries.data(), kPageSize);
    link_.mark_dirty(gfn);
    // No table may be mapped writable.
    const Mfn frame = mfn(gfn);
    if (auto done = set_entry(linear(gfn), entry_of(frame, kPresent | kAccessed), "a table's own mapping"); !done)
        return std::unexpected(done.error());
    return gfn;
}

Result<> PvMemory::set_entry(std::uint64_t linear, Entry entry, const char* what) {
    const std::int64_t answer =
        link_.call(__HYPERVISOR_update_va_mapping, linear, entry, std::uint64_t{UVMF_INVLPG | UVMF_ALL});
    if (answer < 0) return std::unexpected(hypercall_error(answer, std::string("update_va_mapping for ") + what));
    return {};
}

Result<> PvMemory::map(Gfn gfn, Mfn mfn) { return set_entry(linear(gfn), entry_of(mfn, kLeaf), "a shared frame"); }

Result<> PvMemory::unmap(Gfn gfn) { return set_entry(linear(gfn), 0, "nothing"); }

}  // namespace xenrig::guest
