#include "xenrig/guest/hvm_start.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "text.h"
#include "xenrig/guest/memory.h"
#include "xenrig/shared/door.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/arch-x86/hvm/start_info.h>
}

namespace xenrig::guest {

namespace {

constexpr std::size_t kVersion0Bytes = offsetof(hvm_start_info, memmap_paddr);
constexpr std::uint32_t kRangesMax = 128;
constexpr std::size_t kLineMax = 4096;

Result<> read_physical(GuestMemory& memory, std::uint64_t address, std::span<std::byte> to) {
    while (!to.empty()) {
        const std::size_t offset = address % kPageSize, part = std::min(to.size(), kPageSize - offset);
        const auto page = memory.kernel_window(Gfn{address / kPageSize}, "hvm_start_info");
        if (!page) return fail(Errno::inval, "hvm_start_info: " + page.error().message);
        shared::copy_out(*page, offset, to.data(), part);
        to = to.subspan(part);
        address += part;
    }
    return {};
}

Result<std::string> read_line(GuestMemory& memory, std::uint64_t address) {
    std::string line(kLineMax, '\0');
    std::size_t length = 0;
    while (length < kLineMax) {
        const std::size_t part = std::min(kPageSize - (address + length) % kPageSize, kLineMax - length);
        const auto bytes = std::as_writable_bytes(std::span(line)).subspan(length, part);
        if (auto done = read_physical(memory, address + length, bytes); !done) return std::unexpected(done.error());
        length += part;
        if (std::memchr(line.data(), 0, length) != nullptr) break;
    }
    line.resize(std::strlen(line.c_str()));
    return line;
}

}  // namespace

bool HvmStart::has_ram(GfnRange frames) const {
    const std::uint64_t first = frames.first.value * kPageSize, end = first + frames.count * kPageSize;
    return std::ranges::any_of(memory, [&](const MemoryRange& r) {
        return r.type == XEN_HVM_MEMMAP_TYPE_RAM && r.address <= first && r.size >= end - r.address;
    });
}

Result<HvmStart> read_hvm_start(GuestMemory& memory, std::uint64_t address) {
    hvm_start_info start{};
    const auto whole = std::as_writable_bytes(std::span(&start, 1));
    if (auto done = read_physical(memory, address, whole.first(kVersion0Bytes)); !done)
        return std::unexpected(done.error());
    if (start.magic != XEN_HVM_START_MAGIC_VALUE)
        return fail(Errno::inval, "hvm_start_info: its magic is " + hex(start.magic));
    HvmStart told;
    if (start.version >= 1) {
        if (auto done = read_physical(memory, address + kVersion0Bytes, whole.subspan(kVersion0Bytes)); !done)
            return std::unexpected(done.error());
        if (start.memmap_entries > kRangesMax)
            return fail(Errno::inval, "hvm_start_info: its map has " + dec(start.memmap_entries) + " entries");
        for (std::uint32_t i = 0; i < start.memmap_entries; ++i) {
            hvm_memmap_table_entry entry{};
            const auto bytes = std::as_writable_bytes(std::span(&entry, 1));
            if (auto done = read_physical(memory, start.memmap_paddr + i * sizeof entry, bytes); !done)
                return std::unexpected(done.error());
            if (entry.size > ~entry.addr) return fail(Errno::inval, "hvm_start_info: a range of its map wraps around");
            told.memory.push_back({entry.addr, entry.size, entry.type});
        }
    }
    if (start.cmdline_paddr != 0) {
        auto line = read_line(memory, start.cmdline_paddr);
        if (!line) return std::unexpected(line.error());
        told.cmd_line = std::move(*line);
    }
    return told;
}

}  // namespace xenrig::guest
