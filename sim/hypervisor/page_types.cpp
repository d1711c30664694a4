#include "sim/hypervisor/page_types.h"

#include <algorithm>
#include <vector>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

unsigned top_level(const Domain& d) { return d.config.bits == 64 ? 4 : 3; }

bool guests_slot(const Domain& d, unsigned level, unsigned index) {
    constexpr unsigned kXenFirst = 256, kXenLast = 271;
    if (d.config.bits == 64) return level != 4 || index < kXenFirst || index > kXenLast;
    return true;
}

FrameType PageTypes::type(Mfn mfn) const {
    const auto found = uses_.find(mfn.value);
    return found == uses_.end() ? FrameType::none : found->second.type;
}

bool PageTypes::pinned(Mfn mfn) const {
    const auto found = uses_.find(mfn.value);
    return found != uses_.end() && found->second.pinned;
}

bool PageTypes::get_frame(Mfn mfn, const Domain& owner) {
    if (!host_.memory.allocated(mfn) || host_.memory.owner(mfn) != owner.id) return false;
    host_.memory.get(mfn);
    ++uses_[mfn.value].references;
    return true;
}

void PageTypes::put_frame(Mfn mfn) {
    const auto found = uses_.find(mfn.value);
    // The control domain can write page tables behind our back: what was never held is not let go.
    if (found == uses_.end() || found->second.references == 0) return;
    --found->second.references;
    drop_if_unused(mfn);
    host_.put_frame(mfn);
}

void PageTypes::drop_if_unused(Mfn mfn) {
    const auto found = uses_.find(mfn.value);
    if (found != uses_.end() && found->second.references == 0 && found->second.users == 0) uses_.erase(found);
}

bool PageTypes::written_otherwise(Mfn mfn, const Domain& owner) const {
    const auto frames = owner.events.frames();
    return owner.grants.mapped_writable(mfn) || std::ranges::find(frames, mfn) != frames.end() ||
           std::ranges::any_of(owner.vcpus, [mfn](const auto& v) { return v->info_frame == mfn; });
}

std::int64_t PageTypes::get_type(Mfn mfn, Domain& owner, FrameType type) {
    Use& use = uses_[mfn.value];
    if (use.users != 0) {
        if (use.type != type) return -error(Errno::inval);
        ++use.users;
        return 0;
    }
    // What the hypervisor shares with the domain is there to be written.
    if (type != FrameType::writable && (host_.memory.kind(mfn) != FrameKind::ram || written_otherwise(mfn, owner)))
        return -error(Errno::inval);
    use.type = type;
    use.users = 1;
    if (level_of(type) == 0) return 0;
    // What it is goes into a saved image with what it holds (alloc_page_type, free_page_type).
    host_.mark_dirty(owner, mfn);
    const std::int64_t result = validate(mfn, owner, level_of(type));
    if (result != 0) {
        Use& failed = uses_[mfn.value];
        failed.users = 0;
        failed.type = FrameType::none;
    }
    return result;
}

void PageTypes::put_type(Mfn mfn) {
    const auto found = uses_.find(mfn.value);
    if (found == uses_.end() || found->second.users == 0) return;
    if (--found->second.users != 0) return;
    const unsigned level = level_of(found->second.type);
    found->second.type = FrameType::none;
    if (Domain* owner = level != 0 ? host_.find(host_.memory.owner(mfn)) : nullptr) host_.mark_dirty(*owner, mfn);
    if (level != 0) put_entries(mfn, level, entries_of(top_level(*host_.last(host_.memory.owner(mfn))) == 4, level));
    drop_if_unused(mfn);
}

std::int64_t PageTypes::get(Mfn mfn, Domain& owner, FrameType type) {
    if (!get_frame(mfn, owner)) return -error(Errno::inval);
    const std::int64_t result = get_type(mfn, owner, type);
    if (result != 0) put_frame(mfn);
    return result;
}

void PageTypes::put(Mfn mfn) {
    put_type(mfn);
    put_frame(mfn);
}

std::int64_t PageTypes::validate(Mfn mfn, Domain& owner, unsigned level) {
    const bool bits_64 = owner.config.bits == 64;
    for (unsigned i = 0; i < entries_of(bits_64, level); ++i) {
        if (!guests_slot(owner, level, i)) continue;
        const PageTableEntry e = entry(mfn, i);
        if (!e.present()) continue;
        const std::int64_t result = hold(e, level, owner, owner);
        if (result != 0) {
            put_entries(mfn, level, i);
            return result;
        }
        write(mfn, i, adjusted(e, level, bits_64));
    }
    return 0;
}

void PageTypes::put_entries(Mfn mfn, unsigned level, unsigned count) {
    const Domain& owner = *host_.last(host_.memory.owner(mfn));
    for (unsigned i = 0; i < count; ++i)
        if (guests_slot(owner, level, i)) let_go(entry(mfn, i), level);
}

std::int64_t PageTypes::hold(PageTableEntry e, unsigned level, const Domain& tables_of, Domain& pages_of) {
    const std::uint32_t disallowed =
        level == 1 ? kDisallowedL1 & ~(tables_of.privileged() ? kCaching : 0) : kDisallowed;
    if ((e.flags() & disallowed) != 0) return -error(Errno::inval);
    if (level != 1) return get(e.mfn(), pages_of, table_type(level - 1));
    const Mfn end{host_.memory.first().value + host_.memory.frames()};
    // Beyond the memory would be devices', and there are none.
    if (e.mfn() < host_.memory.first() || e.mfn() >= end)
        return e.mfn().value == 0xff'ffff'ffff ? -error(Errno::inval) : -error(Errno::perm);
    if (!get_frame(e.mfn(), pages_of)) return -error(Errno::busy);
    if (e.writable() && get_type(e.mfn(), pages_of, FrameType::writable) != 0) {
        put_frame(e.mfn());
        return -error(Errno::busy);
    }
    return 0;
}

void PageTypes::let_go(PageTableEntry e, unsigned level) {
    if (!e.present()) return;
    if (level != 1 || e.writable()) put_type(e.mfn());
    put_frame(e.mfn());
}

PageTableEntry PageTypes::entry(Mfn table, unsigned index) const {
    return {shared::raw::load<std::uint64_t>(host_.memory.page(table) + index * sizeof(std::uint64_t))};
}

void PageTypes::write(Mfn table, unsigned index, PageTableEntry e) {
    shared::raw::store<std::uint64_t>(host_.memory.page(table) + index * sizeof(std::uint64_t), e.value);
    if (Domain* owner = host_.find(host_.memory.owner(table))) host_.mark_dirty(*owner, table);
}

std::int64_t PageTypes::change(Mfn table, unsigned index, PageTableEntry to, bool keep_accessed_dirty,
                               Domain& tables_of, Domain& pages_of) {
    const unsigned level = level_of(type(table));
    const bool bits_64 = tables_of.config.bits == 64;
    constexpr unsigned kPaeXenSlot = 3;
    if (!guests_slot(tables_of, level, index) || (!bits_64 && level == 3 && index >= kPaeXenSlot))
        return -error(Errno::inval);
    const PageTableEntry was = entry(table, index);
    const auto put_new = [&] {
        PageTableEntry now = adjusted(to, level, bits_64);
        if (keep_accessed_dirty) now.value |= was.value & (kAccessed | kDirtyBit);
        write(table, index, now);
    };
    if (to.present()) {
        const std::uint32_t disallowed =
            level == 1 ? kDisallowedL1 & ~(tables_of.privileged() ? kCaching : 0) : kDisallowed;
        if ((to.flags() & disallowed) != 0) return -error(Errno::inval);
        // The same page with nothing else about it than what the processor and the guest note there.
        constexpr std::uint32_t kNoted = kNoExecute | 0x7ff000 | kAvailable | kGlobal | kDirtyBit | kAccessed | kUser;
        if (was.present() && was.mfn() == to.mfn() && ((was.flags() ^ to.flags()) & ~kNoted) == 0) {
            put_new();
            return 0;
        }
        const std::int64_t result = hold(to, level, tables_of, pages_of);
        if (result != 0) return result;
    }
    put_new();
    let_go(was, level);
    return 0;
}

void PageTypes::replace(Mfn table, unsigned index, PageTableEntry to) {
    const PageTableEntry was = entry(table, index);
    write(table, index, to);
    let_go(was, 1);
}

PageTableEntry PageTypes::take(Mfn table, unsigned index) {
    const PageTableEntry was = entry(table, index);
    write(table, index, {});
    return was;
}

std::int64_t PageTypes::pin(Mfn mfn, Domain& owner, unsigned level) {
    const std::int64_t result = get(mfn, owner, table_type(level));
    if (result != 0) return result;
    Use& use = uses_[mfn.value];
    if (use.pinned) {
        put(mfn);
        return -error(Errno::inval);
    }
    use.pinned = true;
    return 0;
}

std::int64_t PageTypes::unpin(Mfn mfn) {
    const auto found = uses_.find(mfn.value);
    if (found == uses_.end() || !found->second.pinned) return -error(Errno::inval);
    found->second.pinned = false;
    put(mfn);
    return 0;
}

void PageTypes::unpin_all(const Domain& owner) {
    std::vector<Mfn> pinned;
    for (const auto& [mfn, use] : uses_)
        if (use.pinned && host_.memory.owner(Mfn{mfn}) == owner.id) pinned.push_back(Mfn{mfn});
    for (const Mfn mfn : pinned) static_cast<void>(unpin(mfn));
}

}  // namespace xenrig::hypervisor
