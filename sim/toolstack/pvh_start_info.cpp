#include "sim/toolstack/pvh_start_info.h"

#include <algorithm>
#include <array>
#include <cstring>

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/arch-x86/hvm/start_info.h>
}

namespace xenrig::toolstack {

std::vector<std::byte> hvm_start_info_bytes(const MemoryPlan& plan, const std::string& cmd_line) {
    const std::uint64_t rings = plan.console().value * kPageSize;
    const std::array<hvm_memmap_table_entry, 2> map{{
        {.addr = 0, .size = rings, .type = XEN_HVM_MEMMAP_TYPE_RAM, .reserved = 0},
        {.addr = rings, .size = 2 * kPageSize, .type = XEN_HVM_MEMMAP_TYPE_RESERVED, .reserved = 0},
    }};
    constexpr std::size_t kMapAt = sizeof(hvm_start_info), kLineAt = kMapAt + sizeof map;
    const std::uint64_t address = plan.start_info().value * kPageSize;
    const std::size_t length = std::min(cmd_line.size(), kPageSize - kLineAt - 1);
    const hvm_start_info start{.magic = XEN_HVM_START_MAGIC_VALUE,
                               .version = 1,
                               .flags = 0,
                               .nr_modules = 0,
                               .modlist_paddr = 0,
                               .cmdline_paddr = length == 0 ? 0 : address + kLineAt,
                               // No ACPI tables are made.
                               .rsdp_paddr = 0,
                               .memmap_paddr = address + kMapAt,
                               .memmap_entries = static_cast<std::uint32_t>(map.size()),
                               .reserved = 0};
    std::vector<std::byte> bytes(kLineAt + length + 1);
    std::memcpy(bytes.data(), &start, sizeof start);
    std::memcpy(bytes.data() + kMapAt, map.data(), sizeof map);
    std::memcpy(bytes.data() + kLineAt, cmd_line.data(), length);
    return bytes;
}

}  // namespace xenrig::toolstack
