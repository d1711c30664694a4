// What a guest may know of its memory and the machine's as a whole (x86/mm.c: arch_memory_op; x86_64/mm.c:
// subarch_memory_op): memory maps as the firmware gives them, and the machine-to-physical table.
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/memory_op.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// Entries of a map that a domain can be given (E820MAX).
constexpr std::uint32_t kEntriesMax = 1024;
/// RDWR_MPT as a 64-bit guest sees it.
constexpr xen_ulong_t kTableStart = 0xffff'8000'0000'0000, kTableEnd = 0xffff'8040'0000'0000;

/// The table as a 32-bit PV guest sees it, which has narrower entries.
constexpr xen_ulong_t kNarrowStart = 0xf580'0000, kNarrowEnd = 0xffe0'0000, kNarrowEntry = 4;

/// This machine's firmware reports RAM from the first frame to the last, and nothing else.
std::array<MemoryMapEntry, 1> machine_map(const Host& host) {
    constexpr std::uint32_t kRam = 1;
    return {MemoryMapEntry{
        .start = host.memory.first().value * kPageSize, .bytes = host.memory.frames() * kPageSize, .type = kRam}};
}

std::uint64_t address(const xen_memory_map_t& map) { return reinterpret_cast<std::uint64_t>(map.buffer.p); }

}  // namespace

std::int64_t memory_map(Call& call) {
    xen_memory_map_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    const std::vector<MemoryMapEntry>& map = call.domain.memory_map;
    // Who has been given none finds it out by itself.
    if (map.empty()) return -error(Errno::nosys);
    op.nr_entries = std::min(op.nr_entries, static_cast<std::uint32_t>(map.size()));
    const std::size_t bytes = op.nr_entries * sizeof(MemoryMapEntry);
    if (bytes != 0 && !call.guest.copy_to_guest(address(op), map.data(), bytes)) return -error(Errno::fault);
    return call.put(op) ? 0 : -error(Errno::fault);
}

std::int64_t set_memory_map(Call& call) {
    xen_foreign_memory_map_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.map.nr_entries > kEntriesMax) return -error(Errno::inval);
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    std::vector<MemoryMapEntry> map(op.map.nr_entries);
    const std::size_t bytes = map.size() * sizeof(MemoryMapEntry);
    if (bytes != 0 && !call.guest.copy_from_guest(map.data(), address(op.map), bytes)) return -error(Errno::fault);
    d->memory_map = std::move(map);
    return 0;
}

std::int64_t machine_memory_map(Call& call) {
    if (!call.domain.privileged()) return -error(Errno::perm);
    xen_memory_map_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    const auto map = machine_map(call.host);
    const bool store = address(op) != 0;
    if (store && op.nr_entries < map.size()) return -error(Errno::inval);
    if (store && !may_be_guests(call.domain, address(op))) return -error(Errno::fault);
    if (store && !call.guest.put(address(op), map)) return -error(Errno::fault);
    op.nr_entries = static_cast<unsigned>(map.size());
    return call.put(op) ? 0 : -error(Errno::fault);
}

std::int64_t machphys_mapping(Call& call) {
    xen_machphys_mapping_t op{.v_start = kTableStart, .v_end = kTableEnd, .max_mfn = 0};
    if (call.domain.config.bits == 32) {
        op = {.v_start = kNarrowStart, .v_end = kNarrowEnd, .max_mfn = (kNarrowEnd - kNarrowStart) / kNarrowEntry - 1};
        return call.put(op) ? 0 : -error(Errno::fault);
    }
    // Memory may be added behind a guest's back, but not behind the hardware domain's.
    op.max_mfn =
        (call.domain.privileged() ? call.host.memory.end().value : (kTableEnd - kTableStart) / sizeof(xen_pfn_t)) - 1;
    return call.put(op) ? 0 : -error(Errno::fault);
}

/// One extent for each 2 MiB of the table. It lies in none of this machine's frames, so that they all are said to begin
/// at one of the hypervisor's own, as Xen says of a hole.
std::int64_t machphys_mfn_list(Call& call) {
    const bool narrow = call.domain.config.bits == 32;
    constexpr std::uint64_t kExtentBytes = 2 << 20;
    constexpr xen_pfn_t kFrame = 0x200;
    xen_machphys_mfn_list_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    const std::uint64_t bytes = call.host.memory.end().value * (narrow ? kNarrowEntry : sizeof(xen_pfn_t));
    const std::uint64_t extents = std::min<std::uint64_t>(op.max_extents, (bytes + kExtentBytes - 1) / kExtentBytes);
    for (std::uint64_t i = 0; i < extents; ++i)
        if (!call.guest.put(reinterpret_cast<std::uint64_t>(op.extent_start.p) + i * sizeof kFrame, kFrame))
            return -error(Errno::fault);
    op.nr_extents = static_cast<unsigned>(extents);
    return call.put(op) ? 0 : -error(Errno::fault);
}

/// For 32-bit PV guests, which a Xen of today does not run unless it is built to.
std::int64_t machphys_compat_mfn_list(Call& call) {
    return call.domain.config.bits == 32 ? machphys_mfn_list(call) : -error(Errno::opnotsupp);
}

}  // namespace xenrig::hypervisor
