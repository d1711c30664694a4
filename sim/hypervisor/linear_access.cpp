#include "sim/hypervisor/linear_access.h"

#include <algorithm>

#include "sim/hypervisor/dispatch.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/page_walk.h"
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

unsigned LinearAccess::bits() const { return vcpu_.domain.config.bits; }

const std::byte* LinearAccess::readable(std::uint64_t address) {
    Domain& d = vcpu_.domain;
    if (!vcpu_.page_tables) return d.page(Gfn{address / kPageSize});
    const auto at = walk(vcpu_, address);
    if (!at || !at->entry.present() || !d.host.memory.allocated(at->entry.mfn())) return nullptr;
    return d.host.memory.page(at->entry.mfn());
}

std::optional<Mfn> LinearAccess::writable(std::uint64_t address) {
    Domain& d = vcpu_.domain;
    if (vcpu_.page_tables) {
        const auto at = walk(vcpu_, address);
        if (!at || !at->entry.present() || !at->writable || !d.host.memory.allocated(at->entry.mfn())) return {};
        return at->entry.mfn();
    }
    const PhysmapEntry entry = d.host.look_up(d, Gfn{address / kPageSize});
    if (!entry) return {};
    if (entry.type == PageType::grant_ro) return d.translated() ? std::optional{kDropped} : std::nullopt;
    // What is a page table would be mapped read-only.
    return d.host.page_types.may_be_written(entry.frame()) ? std::optional{entry.frame()} : std::nullopt;
}

GuestAccess* LinearAccess::lasting() { return &vcpu_.linear_calls().access(); }

std::int64_t LinearCalls::call(unsigned number, const HypercallArgs& args) {
    return dispatch(vcpu_, access_, number, args);
}

bool LinearAccess::copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) {
    auto* out = static_cast<std::byte*>(to);
    return pages(from, bytes, [&](std::uint64_t address, std::size_t part) {
        const std::byte* page = readable(address);
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
        const auto mfn = writable(address);
        if (!mfn) return false;
        if (*mfn != kDropped) {
            shared::raw::copy_to_page(d.host.memory.page(*mfn) + address % kPageSize, in, part);
            if (d.host.memory.owner(*mfn) == d.id) d.host.mark_dirty(d, *mfn);
        }
        in += part;
        return true;
    });
}

}  // namespace xenrig::hypervisor
