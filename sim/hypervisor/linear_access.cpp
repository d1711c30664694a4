#include "sim/hypervisor/linear_access.h"

#include <algorithm>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/vcpu.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

template <class Each>
bool LinearAccess::pages(std::uint64_t address, std::size_t bytes, Each each) {
    while (bytes != 0) {
        const std::size_t part = std::min<std::size_t>(bytes, kPageSize - address % kPageSize);
        if (!each(address, part)) return false;
        address += part;
        bytes -= part;
    }
    return true;
}

bool LinearAccess::copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) {
    auto* out = static_cast<std::byte*>(to);
    return pages(from, bytes, [&](std::uint64_t address, std::size_t part) {
        const std::byte* page = vcpu_.domain.page(Gfn{address / kPageSize});
        if (!page) return false;
        shared::raw::copy_from_page(page + address % kPageSize, out, part);
        out += part;
        return true;
    });
}

bool LinearAccess::copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) {
    const auto* in = static_cast<const std::byte*>(from);
    Domain& d = vcpu_.domain;
    return pages(to, bytes, [&](std::uint64_t address, std::size_t part) {
        const Gfn gfn{address / kPageSize};
        const PhysmapEntry entry = d.physmap.at(gfn);
        if (!entry || (entry.type == PageType::grant_ro && !d.translated())) return false;
        if (entry.type != PageType::grant_ro) {
            shared::raw::copy_to_page(d.host.memory.page(entry.frame()) + address % kPageSize, in, part);
            d.mark_dirty(gfn);
        }
        in += part;
        return true;
    });
}

}  // namespace xenrig::hypervisor
