#include "sim/hypervisor/machine_memory.h"

#include <algorithm>

#include "sim/hypervisor/arena.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypervisor {

namespace {

std::span<std::uint64_t> words(std::byte* page) {
    return {reinterpret_cast<std::uint64_t*>(page), kPageSize / sizeof(std::uint64_t)};
}

}  // namespace

MachineMemory::MachineMemory(std::uint64_t frames, Mfn first)
    : first_(first), frames_(frames), arena_(Arena::take(frames)) {}

MachineMemory::~MachineMemory() { Arena::give_back(std::move(arena_)); }

std::optional<Mfn> MachineMemory::allocate(DomId owner, FrameKind kind) {
    Mfn mfn;
    if (used_ < frames_) {
        mfn = Mfn{first_.value + used_++};
        infos_.emplace_back();
    } else if (!freed_.empty()) {
        mfn = freed_.front();
        freed_.pop_front();
    } else {
        return std::nullopt;
    }
    info(mfn) = Info{.gfn = kNoGfn, .uses = 1, .owner = owner, .kind = kind, .touched = false};
    ++allocated_;
    return mfn;
}

void MachineMemory::get(Mfn mfn) {
    check(allocated(mfn), "only an allocated frame is used");
    ++info(mfn).uses;
}

bool MachineMemory::put(Mfn mfn) {
    check(allocated(mfn), "a frame is let go as often as it was taken");
    Info& frame = info(mfn);
    if (--frame.uses != 0) return false;
    // Nobody has an address of an untouched frame, so there is nobody to catch.
    if (frame.touched) std::ranges::fill(words(arena_->page(mfn.value - first_.value)), kPoison);
    freed_.push_back(mfn);
    --allocated_;
    return true;
}

bool MachineMemory::allocated(Mfn mfn) const {
    return mfn >= first_ && mfn.value - first_.value < used_ && info(mfn).uses != 0;
}

std::byte* MachineMemory::page(Mfn mfn) {
    check(allocated(mfn), "only an allocated frame has a page");
    Info& frame = info(mfn);
    if (!frame.touched) [[unlikely]] {
        arena_->zero(mfn.value - first_.value);
        frame.touched = true;
    }
    return arena_->page(mfn.value - first_.value);
}

MachineMemory::Count MachineMemory::recount() const {
    Count count;
    for (const Info& frame : infos_) ++(frame.uses != 0 ? count.allocated : count.free);
    count.free += frames_ - infos_.size();
    return count;
}

std::vector<Mfn> MachineMemory::overwritten_poison() const {
    std::vector<Mfn> found;
    for (const Mfn mfn : freed_) {
        if (!info(mfn).touched) continue;
        const auto page = words(arena_->page(mfn.value - first_.value));
        if (std::ranges::any_of(page, [](std::uint64_t word) { return word != kPoison; })) found.push_back(mfn);
    }
    return found;
}

int MachineMemory::fd() const { return arena_->fd(); }

}  // namespace xenrig::hypervisor
