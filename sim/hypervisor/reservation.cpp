// XENMEM_increase_, decrease_reservation and populate_physmap (memory.c): extents of 2^order frames that come and go.
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/memory_op.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// What the caller asked for, found and checked (struct memop_args).
struct Reservation {
    Call& call;
    Domain& domain;
    const xen_memory_reservation_t& op;
    /// Frames are to lie below.
    Mfn limit;

    Host& host() const { return call.host; }
    std::uint64_t frames() const { return std::uint64_t{1} << op.extent_order; }
    std::uint64_t address(std::uint64_t extent) const {
        return reinterpret_cast<std::uint64_t>(op.extent_start.p) + extent * sizeof(xen_pfn_t);
    }
    [[nodiscard]] bool fetch(xen_pfn_t& frame, std::uint64_t extent) const {
        return call.guest.fetch(frame, address(extent));
    }
    /// A PV guest is told which frames it got.
    [[nodiscard]] bool tell(Mfn mfn, std::uint64_t extent) const {
        return domain.translated() || call.guest.put(address(extent), xen_pfn_t{mfn.value});
    }
};

/// Does one extent; false ends the call there.
using Extent = bool (*)(const Reservation&, std::uint64_t extent);

bool increase(const Reservation& r, std::uint64_t extent) {
    const auto mfn = r.host().allocate(r.domain, r.op.extent_order, r.limit);
    if (!mfn) return false;
    for (std::uint64_t i = 0; i < r.frames(); ++i) r.domain.unplaced.push_back(Mfn{mfn->value + i});
    return r.op.extent_start.p == nullptr || r.tell(*mfn, extent);
}

bool populate(const Reservation& r, std::uint64_t extent) {
    xen_pfn_t gpfn = 0;
    if (!r.fetch(gpfn, extent)) return false;
    if ((r.op.mem_flags & XENMEMF_populate_on_demand) != 0) {
        if (&r.domain == &r.call.domain) return false;
        return !r.domain.translated() || r.domain.pod.mark(Gfn{gpfn}, r.op.extent_order) == 0;
    }
    const auto mfn = r.host().allocate(r.domain, r.op.extent_order, r.limit);
    if (!mfn) return false;
    // A PV guest has no map to put it into: what it calls a frame is its own business.
    bool placed = true;
    for (std::uint64_t i = 0; i < r.frames(); ++i) {
        const Gfn gfn{gpfn + i};
        const bool done = r.host().place(r.domain, gfn, Mfn{mfn->value + i}) == 0;
        if (done) r.domain.dirty.mark(gfn);
        placed &= done || !r.domain.translated();
    }
    return placed && r.tell(*mfn, extent);
}

bool decrease(const Reservation& r, std::uint64_t extent) {
    xen_pfn_t gmfn = 0;
    if (!r.fetch(gmfn, extent)) return false;
    std::uint64_t on_demand = r.domain.translated() ? r.domain.pod.decrease(Gfn{gmfn}, r.op.extent_order) : 0;
    for (std::uint64_t i = 0; i + on_demand < r.frames(); ++i) {
        const std::int64_t result = r.domain.translated() ? r.host().remove_page(r.domain, Gfn{gmfn + i})
                                                          : r.host().remove_frame(r.domain, Mfn{gmfn + i});
        // Those that went on demand are not there any more.
        const bool gone = result == -error(Errno::noent) && on_demand != 0;
        if (gone) --on_demand;
        if (result != 0 && !gone) return false;
    }
    return true;
}

/// How many extents were done: reservations have no other way to say that something is wrong.
std::int64_t each_extent(Call& call, std::uint32_t start, Extent one) {
    constexpr std::uint64_t kExtentsMax = ~0u >> 6;
    // MAX_ORDER, for extents of which nothing is allocated yet.
    constexpr unsigned kOnDemandOrderMax = 20;
    xen_memory_reservation_t op;
    if (!call.fetch(op)) return start;
    if (op.nr_extents > kExtentsMax || start >= op.nr_extents) return start;
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    Mfn limit{};
    if (!d || !within_address_bits(call, op.mem_flags, limit)) return start;
    if (!within_node(call, op.mem_flags, limit) || !may_target(call.domain, *d)) return start;
    const bool on_demand = one == populate && (op.mem_flags & XENMEMF_populate_on_demand) != 0;
    if (op.extent_order > (on_demand ? kOnDemandOrderMax : order_max(call))) return start;
    const Reservation r{call, *d, op, limit};
    std::uint64_t done = start;
    while (done < op.nr_extents && one(r, done)) ++done;
    return static_cast<std::int64_t>(done);
}

}  // namespace

bool within_address_bits(const Call& call, unsigned flags, Mfn& limit) {
    constexpr unsigned kPageBits = 12;
    const unsigned bits = XENMEMF_get_address_bits(flags);
    limit = call.host.memory.end();
    if (bits == 0 || bits >= 64 || (std::uint64_t{1} << bits) >= limit.value * kPageSize) return true;
    if (bits <= kPageBits) return false;
    limit = Mfn{std::uint64_t{1} << (bits - kPageBits)};
    return true;
}

bool within_node(const Call& call, unsigned flags, Mfn& limit) {
    constexpr unsigned kNodes = 64, kAny = 0xff;
    const unsigned node = XENMEMF_get_node(flags);
    const bool exact = (flags & XENMEMF_exact_node_request) != 0;
    if ((flags & XENMEMF_vnode) != 0 || node == kAny) return true;
    if (!call.domain.privileged()) return !exact;
    if (exact && node != 0) limit = Mfn{0};
    return node < kNodes;
}

unsigned order_max(const Call& call) {
    constexpr unsigned kGuest = 9, kControl = 18;
    return call.domain.privileged() ? kControl : kGuest;
}

std::int64_t increase_reservation(Call& call, std::uint32_t start) { return each_extent(call, start, increase); }
std::int64_t decrease_reservation(Call& call, std::uint32_t start) { return each_extent(call, start, decrease); }
std::int64_t populate_physmap(Call& call, std::uint32_t start) { return each_extent(call, start, populate); }

}  // namespace xenrig::hypervisor
