#include "sim/hypervisor/page_walk.h"

#include "sim/hypervisor/canonical.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

constexpr unsigned kPageBits = 12, kIndexBits = 9;

bool guests_address(const Domain& d, std::uint64_t address) {
    return d.config.bits == 32 ? address >> 32 == 0 : canonical(address);
}

}  // namespace

std::optional<Walked> walk(const Vcpu& v, std::uint64_t address) {
    const Domain& d = v.domain;
    if (!v.page_tables || !guests_address(d, address)) return std::nullopt;
    const MachineMemory& memory = d.host.memory;
    Mfn table = *v.page_tables;
    bool writable = true;
    for (unsigned level = top_level(d);; --level) {
        const auto index = static_cast<unsigned>(address >> (kPageBits + kIndexBits * (level - 1)) & 511);
        if (index >= entries_of(d.config.bits == 64, level) || !guests_slot(d, level, index)) return std::nullopt;
        const PageTableEntry e = d.host.page_types.entry(table, index);
        // PAE's top level has no such right.
        if (d.config.bits == 64 || level != 3) writable = writable && e.writable();
        if (level == 1) return Walked{table, index, e, writable};
        if (!e.present() || (e.flags() & kLarge) != 0 || !memory.allocated(e.mfn())) return std::nullopt;
        table = e.mfn();
    }
}

}  // namespace xenrig::hypervisor
