#include "sim/hypervisor/machine_memory.h"

#include <algorithm>
#include <functional>

#include "sim/hypervisor/arena.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypervisor {

namespace {

std::span<std::uint64_t> words(std::byte* page) {
    return {reinterpret_cast<std::uint64_t*>(page), kPageSize / sizeof(std::uint64_t)};
}

}  // namespace

MachineMemory::MachineMemory(std::uint64_t frames, Mfn first)
    : first_(first), frames_(frames), arena_(Arena::take(frames)), infos_(arena_->infos()) {}

MachineMemory::~MachineMemory() { Arena::give_back(std::move(arena_)); }

std::optional<Mfn> MachineMemory::allocate(DomId owner, FrameKind kind) {
    Mfn mfn;
    if (const std::uint64_t used = used_.load(std::memory_order_relaxed); used < frames_) {
        mfn = Mfn{first_.value + used};
        info(mfn).uses.store(0, std::memory_order_relaxed);
        used_.store(used + 1, std::memory_order_release);
    } else if (!freed_.empty()) {
        mfn = freed_.front();
        freed_.pop_front();
    } else {
        return std::nullopt;
    }
    begin(mfn, owner, kind);
    return mfn;
}

void MachineMemory::begin(Mfn mfn, DomId owner, FrameKind kind) {
    FrameInfo& frame = info(mfn);
    frame.gfn = kNoGfn;
    frame.owner = owner;
    frame.kind = kind;
    frame.touched.store(false, std::memory_order_relaxed);
    frame.uses.store(1, std::memory_order_release);
    ++allocated_;
}

std::optional<Mfn> MachineMemory::free_run(std::uint64_t count, Mfn end) const {
    const std::uint64_t used = used_.load(std::memory_order_relaxed);
    for (std::uint64_t run = (first_.value + count - 1) / count * count; run + count <= end.value; run += count) {
        std::uint64_t free = 0;
        while (free < count && (run + free - first_.value >= used || uses(Mfn{run + free}) == 0)) ++free;
        if (free == count) return Mfn{run};
    }
    return std::nullopt;
}

std::optional<Mfn> MachineMemory::allocate_run(DomId owner, unsigned order, Mfn limit) {
    if (order == 0 && limit >= end()) return allocate(owner, FrameKind::ram);
    const std::uint64_t count = std::uint64_t{1} << order;
    if (frames_free() < count) return std::nullopt;
    const auto run = free_run(count, std::min(limit, end()));
    if (!run) return run;
    // Those before the row that nobody has had yet are as good as freed.
    for (std::uint64_t fresh = used_.load(std::memory_order_relaxed); fresh < run->value + count - first_.value;
         ++fresh) {
        FrameInfo& frame = infos_[fresh];
        frame.uses.store(0, std::memory_order_relaxed);
        frame.touched.store(false, std::memory_order_relaxed);
        freed_.push_back(Mfn{first_.value + fresh});
        used_.store(fresh + 1, std::memory_order_release);
    }
    std::erase_if(freed_, [&](Mfn mfn) { return mfn >= *run && mfn.value < run->value + count; });
    for (std::uint64_t i = 0; i < count; ++i) begin(Mfn{run->value + i}, owner, FrameKind::ram);
    return run;
}

void MachineMemory::get(Mfn mfn) {
    check(allocated(mfn), "only an allocated frame is used");
    info(mfn).uses.store(uses(mfn) + 1, std::memory_order_relaxed);
}

bool MachineMemory::put(Mfn mfn) {
    check(allocated(mfn), "a frame is let go as often as it was taken");
    FrameInfo& frame = info(mfn);
    const std::uint32_t left = uses(mfn) - 1;
    frame.uses.store(left, std::memory_order_relaxed);
    if (left != 0) return false;
    // Nobody has an address of an untouched frame, so there is nobody to catch.
    if (frame.touched) std::ranges::fill(words(arena_->page(mfn.value - first_.value)), kPoison);
    freed_.push_back(mfn);
    --allocated_;
    return true;
}

bool MachineMemory::allocated(Mfn mfn) const {
    return mfn >= first_ && mfn.value - first_.value < used_.load(std::memory_order_acquire) && uses(mfn) != 0;
}

std::byte* MachineMemory::page(Mfn mfn) {
    check(allocated(mfn), "only an allocated frame has a page");
    if (!info(mfn).touched.load(std::memory_order_acquire)) [[unlikely]]
        touch(mfn);
    return arena_->page(mfn.value - first_.value);
}

bool MachineMemory::zero(Mfn mfn) const {
    // What nobody has had an address of is as it was allocated.
    return !info(mfn).touched || std::ranges::none_of(words(arena_->page(mfn.value - first_.value)), std::identity{});
}

void MachineMemory::clear(Mfn mfn) {
    if (info(mfn).touched) std::ranges::fill(words(arena_->page(mfn.value - first_.value)), 0);
}

void MachineMemory::touch(Mfn mfn) {
    const std::scoped_lock guard(touching_);
    FrameInfo& frame = info(mfn);
    if (frame.touched.load(std::memory_order_relaxed)) return;
    arena_->zero(mfn.value - first_.value);
    frame.touched.store(true, std::memory_order_release);
}

MachineMemory::Count MachineMemory::recount() const {
    Count count;
    for (std::uint64_t i = 0; i < used_; ++i) ++(uses(Mfn{first_.value + i}) != 0 ? count.allocated : count.free);
    count.free += frames_ - used_;
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

std::span<std::byte> MachineMemory::pages() const { return {arena_->page(0), frames_ * kPageSize}; }

std::span<std::byte> MachineMemory::frame_table() const {
    return std::as_writable_bytes(std::span(arena_->infos(), frames_));
}

int MachineMemory::fd() const { return arena_->fd(); }

}  // namespace xenrig::hypervisor
