// The commands about a domain's memory (domctl.c: max_mem; x86/domctl.c: getpageframeinfo3; paging.c: paging_domctl,
// paging_log_dirty_op).
#include <algorithm>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

/// It may be less than the domain has: nothing is taken away, and nothing more given.
std::int64_t max_mem(Domctl& d) {
    constexpr unsigned kKibPerFrameShift = 2;
    d.domain->max_frames = std::min<std::uint64_t>(d.op.u.max_mem.max_memkb >> kKibPerFrameShift, ~0u);
    return 0;
}

/// XEN_DOMCTL_PFINFO_*: unsigned, as Xen's own type is, for the highest ones have bit 31.
std::uint64_t page_info(Domctl& d, std::uint64_t frame) {
    constexpr std::uint64_t kNotMemory = XEN_DOMCTL_PFINFO_XTAB, kPinned = XEN_DOMCTL_PFINFO_LPINTAB;
    const auto mfn = d.call.host.guest_frame(*d.domain, frame);
    if (!mfn) return kNotMemory;
    const PageTypes& types = d.call.host.page_types;
    const unsigned level = level_of(types.type(*mfn));
    constexpr unsigned kLevelAt = 28;
    return (std::uint64_t{level} << kLevelAt) | (types.pinned(*mfn) ? kPinned : 0);
}

std::int64_t get_page_types(Domctl& d) {
    constexpr std::uint64_t kMost = 1024;
    const auto& op = d.op.u.getpageframeinfo3;
    if (op.num > kMost) return -error(Errno::toobig);
    const auto array = reinterpret_cast<std::uint64_t>(op.array.p);
    for (std::uint64_t i = 0; i < op.num; ++i) {
        xen_pfn_t frame = 0;
        const std::uint64_t at = array + i * sizeof frame;
        if (!d.call.guest.fetch(frame, at)) return -error(Errno::fault);
        if (!d.call.guest.put(at, xen_pfn_t{page_info(d, frame)})) return -error(Errno::fault);
    }
    d.answered = true;
    return 0;
}

/// A bit a gfn, in bytes; how many gfns were told.
std::int64_t put_dirty(Domctl& d, bool clean) {
    auto& op = d.op.u.shadow_op;
    const auto bitmap = reinterpret_cast<std::uint64_t>(op.dirty_bitmap.p);
    Domain& domain = *d.domain;
    const std::uint64_t gfns = std::min(op.pages, domain.physmap.highest().value + 1);
    for (std::uint64_t byte = 0; bitmap != 0 && byte < (gfns + 7) / 8; ++byte) {
        std::uint8_t bits = 0;
        for (unsigned i = 0; i < 8; ++i)
            if (domain.dirty.marked(Gfn{byte * 8 + i})) bits = static_cast<std::uint8_t>(bits | 1u << i);
        if (!d.call.guest.put(bitmap + byte, bits)) return -error(Errno::fault);
    }
    op.stats.dirty_count = static_cast<std::uint32_t>(domain.dirty.count());
    if (clean) {
        static_cast<void>(domain.dirty.clean());
        d.call.host.mark_unseen_writes(domain);
    }
    op.pages = bitmap != 0 ? gfns : 0;
    return 0;
}

/// A translated domain's page tables come from a pool of its own. What its map takes of it stays whatever is asked; of
/// the rest each vCPU has one page (hap_set_allocation).
std::int64_t set_pool(Domctl& d, std::uint64_t pages) {
    constexpr std::uint64_t kEmptyMap = 11;
    Physmap& map = d.domain->physmap;
    const std::uint64_t mapping = kEmptyMap + map.nodes(), vcpus = d.domain->vcpus.size();
    if (pages > map.nodes_max() && pages - map.nodes_max() > d.call.host.memory.frames_free())
        return -error(Errno::nomem);
    const std::uint64_t rest = pages > mapping ? pages - mapping : 0;
    map.set_nodes_max(mapping + std::max(rest, vcpus));
    return rest < vcpus ? -error(Errno::nomem) : 0;
}

std::int64_t pool_size(Domctl& d) {
    auto& op = d.op.u.paging_mempool;
    if (!d.domain->translated()) return -error(Errno::opnotsupp);
    if (d.op.cmd == XEN_DOMCTL_get_paging_mempool_size) {
        op.size = d.domain->physmap.nodes_max() * kPageSize;
        d.answered = true;
        return 0;
    }
    if (op.size % kPageSize != 0 || op.size / kPageSize >> 32 != 0) return -error(Errno::inval);
    return set_pool(d, op.size / kPageSize);
}

std::int64_t log_dirty(Domctl& d) {
    Domain& domain = *d.domain;
    // It takes hardware-assisted paging here.
    if (!domain.translated()) return -error(Errno::opnotsupp);
    if (domain.dirty.enabled()) return -error(Errno::inval);
    domain.dirty.enable();
    d.call.host.mark_unseen_writes(domain);
    return 0;
}

/// In MiB, rounded up.
std::int64_t pool_in_mib(Domctl& d) {
    auto& op = d.op.u.shadow_op;
    constexpr std::uint64_t kPagesPerMib = 256;
    if (!d.domain->translated()) return -error(Errno::inval);
    const std::int64_t result = op.op == XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION ? set_pool(d, op.mb * kPagesPerMib) : 0;
    op.mb = static_cast<std::uint32_t>((d.domain->physmap.nodes_max() + kPagesPerMib - 1) / kPagesPerMib);
    return result;
}

std::int64_t shadow_op(Domctl& d) {
    auto& op = d.op.u.shadow_op;
    Domain& domain = *d.domain;
    if (&domain == &d.call.domain) return -error(Errno::inval);
    d.answered = true;
    if (domain.dying()) return 0;
    if (domain.vcpus.empty()) return -error(Errno::inval);
    switch (op.op) {
        case XEN_DOMCTL_SHADOW_OP_ENABLE:
            return (op.mode & XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY) != 0 ? log_dirty(d) : -error(Errno::inval);
        case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
            return log_dirty(d);
        case XEN_DOMCTL_SHADOW_OP_OFF:
            if (!domain.dirty.enabled() && !domain.translated()) return -error(Errno::inval);
            if (domain.dirty.enabled()) domain.dirty.disable();
            return 0;
        case XEN_DOMCTL_SHADOW_OP_CLEAN:
        case XEN_DOMCTL_SHADOW_OP_PEEK:
            if ((op.mode & ~std::uint32_t{XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL}) != 0) return -error(Errno::inval);
            if (!domain.dirty.enabled()) {
                op.pages = 0;
                return 0;
            }
            return put_dirty(d, op.op == XEN_DOMCTL_SHADOW_OP_CLEAN);
        case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
        case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
            return pool_in_mib(d);
        default:
            return -error(Errno::inval);
    }
}

}  // namespace

std::int64_t memory_domctl(Domctl& d) {
    switch (d.op.cmd) {
        case XEN_DOMCTL_max_mem:
            return max_mem(d);
        case XEN_DOMCTL_getpageframeinfo3:
            return get_page_types(d);
        case XEN_DOMCTL_shadow_op:
            return shadow_op(d);
        case XEN_DOMCTL_get_paging_mempool_size:
        case XEN_DOMCTL_set_paging_mempool_size:
            return pool_size(d);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
