// Where the parts of a PV guest lie when it starts, in the order and with the room that libxc's builder gives them
// (tools/libs/guest: xc_dom_build_image, alloc_magic_pages_pv, alloc_pgtables_pv, count_pgtables).
//
// Everything is one to one from `virt_base` on: a page of its pseudo-physical memory has the linear address virt_base +
// pfn * 4096. What is mapped when it starts ends at a multiple of 4 MiB, at least 512 KiB behind the last part; the
// kernel maps the rest of its memory itself, with tables from frames that it keeps for that.
#pragma once

#include <array>
#include <cstdint>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"
#include "xenrig/guest/kernel.h"

namespace xenrig::toolstack {

struct PvPlan {
    /// ENOMEM for less memory than is mapped when it starts: 1024 frames at least.
    static Result<PvPlan> make(std::uint64_t frames, unsigned bits);

    unsigned bits = 64;
    std::uint64_t frames = 0;
    /// The kernel's address, a multiple of 4 MiB; behind what Xen keeps for itself.
    std::uint64_t virt_base = 0;
    /// The kernel's image, and the list of its machine frames.
    guest::GfnRange kernel, p2m;
    Gfn start_info, store, console;
    /// The first one is the top table; then level by level.
    guest::GfnRange tables;
    Gfn stack;
    /// Pages from 0 that the tables map.
    std::uint64_t mapped = 0;

    /// Tables of one level, of which the first is for the address space's entry number `first` of that level.
    struct Level {
        Gfn table;
        std::uint64_t count = 0, first = 0;
    };
    /// Index 1 to levels().
    std::array<Level, 5> level;
    unsigned levels() const { return bits == 64 ? 4 : 3; }
    unsigned word() const { return bits / 8; }

    std::uint64_t address(Gfn gfn) const { return virt_base + gfn.value * kPageSize; }
    /// What the kernel's own allocator has, and what it maps other things behind.
    guest::Layout layout() const;

private:
    /// Of tables that map `pages` pages, from `at` on.
    void count_tables(std::uint64_t pages, Gfn at);
};

}  // namespace xenrig::toolstack
