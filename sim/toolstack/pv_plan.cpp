#include "sim/toolstack/pv_plan.h"

#include <algorithm>
#include <string>

namespace xenrig::toolstack {

namespace {

/// XEN_ELFNOTE_VIRT_BASE of the simulated kernel: where a 64-bit guest's part of the upper half begins, and where the
/// 32-bit kernels of the field are.
constexpr std::uint64_t kBase64 = 0xffff'8800'0000'0000, kBase32 = 0xc000'0000;
/// Its image: text that nothing here reads.
constexpr std::uint64_t kKernelPages = 16;
/// The padding that the builder leaves, the boot stack and what the mapping is rounded up to, in pages.
constexpr std::uint64_t kPadding = (512 << 10) / kPageSize, kStack = 1, kRound = (4 << 20) / kPageSize;
constexpr std::uint64_t kEntries = 512;
/// Tables for the rest of so much memory are within the padding, so that the kernel has them from the start.
constexpr std::uint64_t kFramesMax = 0xc000;
/// Far behind any RAM, and yet below what Xen keeps of a 32-bit guest's addresses.
constexpr Gfn kWindow{0x20000};
constexpr std::uint64_t kWindowPages = 4096;

constexpr std::uint64_t round_up(std::uint64_t n, std::uint64_t to) { return (n + to - 1) / to * to; }

}  // namespace

void PvPlan::count_tables(std::uint64_t pages, Gfn at) {
    constexpr unsigned kIndexBits = 9;
    const std::uint64_t mask = bits == 64 ? (std::uint64_t{1} << 48) - 1 : 0xffff'ffff;
    const std::uint64_t first = (virt_base & mask) / kPageSize, last = first + pages - 1;
    tables = {at, 0};
    for (unsigned l = levels(); l != 0; --l) {
        Level& here = level.at(l);
        const unsigned shift = kIndexBits * l;
        here.table = Gfn{at.value + tables.count};
        here.first = l == levels() ? 0 : first >> shift;
        here.count = l == levels() ? 1 : (last >> shift) - here.first + 1;
        tables.count += here.count;
    }
}

Result<PvPlan> PvPlan::make(std::uint64_t frames, unsigned bits) {
    PvPlan plan;
    plan.bits = bits;
    plan.frames = frames;
    plan.virt_base = bits == 64 ? kBase64 : kBase32;
    std::uint64_t next = 0;
    const auto take = [&next](std::uint64_t pages) {
        const guest::GfnRange range{Gfn{next}, pages};
        next += pages;
        return range;
    };
    plan.kernel = take(kKernelPages);
    plan.p2m = take(round_up(frames * plan.word(), kPageSize) / kPageSize);
    plan.start_info = take(1).first;
    plan.store = take(1).first;
    plan.console = take(1).first;
    // The tables map themselves, so that their number depends on itself.
    std::uint64_t pages = kPadding + kStack;
    do {
        plan.mapped = round_up(next + pages, kRound);
        plan.count_tables(plan.mapped, Gfn{next});
        pages = plan.tables.count + kPadding + kStack;
    } while (next + pages > plan.mapped);
    take(plan.tables.count);
    plan.stack = take(kStack).first;
    if (plan.mapped > frames || frames > kFramesMax)
        return fail(Errno::nomem, "a PV guest of this kernel has " + std::to_string(plan.mapped) + " to " +
                                      std::to_string(kFramesMax) + " frames, and not " + std::to_string(frames));
    return plan;
}

guest::Layout PvPlan::layout() const {
    // One table for each 2 MiB that the kernel maps itself.
    const std::uint64_t more = (frames - std::min(mapped, frames) + kEntries - 1) / kEntries + kWindowPages / kEntries;
    const Gfn kept{stack.value + kStack}, free{kept.value + more};
    return {.ram = {free, frames - free.value},
            .unpopulated = {kWindow, kWindowPages},
            .pv = guest::PvLayout{.virt_base = virt_base, .tables = {kept, more}}};
}

}  // namespace xenrig::toolstack
