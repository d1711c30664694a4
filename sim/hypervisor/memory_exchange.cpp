// XENMEM_exchange (memory.c: memory_exchange): a PV guest's frames for as many others, to get them in a row or below an
// address.
#include <algorithm>
#include <vector>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/memory_op.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// The two lists in chunks of the larger extent: all of a chunk is exchanged, or nothing.
class Exchange {
public:
    Exchange(Call& call, Domain& domain, const xen_memory_exchange_t& op, Mfn limit)
        : call_(call),
          domain_(domain),
          op_(op),
          limit_(limit),
          in_per_chunk_(1ull << std::max(int(op.out.extent_order) - int(op.in.extent_order), 0)),
          out_per_chunk_(1ull << std::max(int(op.in.extent_order) - int(op.out.extent_order), 0)) {}

    std::uint64_t first_chunk() const { return op_.nr_exchanged / in_per_chunk_; }
    std::uint64_t chunks() const { return op_.in.nr_extents / in_per_chunk_; }
    std::uint64_t extents_before(std::uint64_t chunk) const { return chunk * in_per_chunk_; }

    std::int64_t perform(std::uint64_t chunk) {
        std::vector<Mfn> given, taken;
        if (const std::int64_t result = collect(chunk, given); result != 0) return result;
        for (std::uint64_t j = 0; j < out_per_chunk_; ++j) {
            const auto mfn = call_.host.memory.allocate_run(domain_.id, op_.out.extent_order, limit_);
            if (!mfn) {
                for (const Mfn first : taken) free(first);
                return -error(Errno::nomem);
            }
            taken.push_back(*mfn);
        }
        // The domain owns as many as before, so that its reservation does not matter.
        domain_.frames += taken.size() << op_.out.extent_order;
        for (const Mfn mfn : given) {
            call_.host.take_out(domain_, mfn);
            call_.host.put_frame(mfn);
        }
        std::int64_t result = 0;
        for (std::uint64_t j = 0; j < out_per_chunk_; ++j)
            if (const std::int64_t wrong = place(chunk * out_per_chunk_ + j, taken[j]); wrong != 0) result = wrong;
        return result;
    }

private:
    static std::uint64_t address(const xen_memory_reservation_t& list, std::uint64_t extent) {
        return reinterpret_cast<std::uint64_t>(list.extent_start.p) + extent * sizeof(xen_pfn_t);
    }

    /// The frames of a chunk, all of which can be stolen.
    std::int64_t collect(std::uint64_t chunk, std::vector<Mfn>& given) const {
        for (std::uint64_t j = 0; j < in_per_chunk_; ++j) {
            xen_pfn_t gmfn = 0;
            if (!call_.guest.fetch(gmfn, address(op_.in, chunk * in_per_chunk_ + j))) return -error(Errno::fault);
            for (std::uint64_t k = 0; k < std::uint64_t{1} << op_.in.extent_order; ++k) {
                Mfn mfn{gmfn + k};
                if (domain_.translated()) {
                    const PhysmapEntry entry = call_.host.look_up(domain_, Gfn{gmfn + k});
                    if (!entry) return -error(Errno::inval);
                    mfn = entry.frame();
                }
                if (!call_.host.memory.allocated(mfn) || std::ranges::find(given, mfn) != given.end())
                    return -error(Errno::inval);
                if (const std::int64_t no = call_.host.may_steal(domain_, mfn); no != 0) return no;
                given.push_back(mfn);
            }
        }
        return 0;
    }

    void free(Mfn first) {
        for (std::uint64_t k = 0; k < std::uint64_t{1} << op_.out.extent_order; ++k)
            call_.host.memory.put(Mfn{first.value + k});
    }

    std::int64_t place(std::uint64_t extent, Mfn first) {
        xen_pfn_t gpfn = 0;
        const bool read = call_.guest.fetch(gpfn, address(op_.out, extent));
        for (std::uint64_t k = 0; k < std::uint64_t{1} << op_.out.extent_order; ++k) {
            const Mfn mfn{first.value + k};
            if (call_.host.observer) call_.host.observer->frame_allocated(mfn, domain_.id);
            if (!read)
                domain_.unplaced.push_back(mfn);
            else if (call_.host.place(domain_, Gfn{gpfn + k}, mfn) == 0)
                domain_.dirty.mark(Gfn{gpfn + k});
        }
        if (!read) return -error(Errno::fault);
        return call_.guest.put(address(op_.out, extent), xen_pfn_t{first.value}) ? 0 : -error(Errno::fault);
    }

    Call& call_;
    Domain& domain_;
    const xen_memory_exchange_t& op_;
    /// New frames are to lie below.
    Mfn limit_;
    std::uint64_t in_per_chunk_, out_per_chunk_;
};

std::int64_t check_lists(const Call& call, const xen_memory_exchange_t& op) {
    if (std::max(op.in.extent_order, op.out.extent_order) > order_max(call)) return -error(Errno::perm);
    if (op.nr_exchanged > op.in.nr_extents || op.in.domid != op.out.domid ||
        (~0ull >> op.in.extent_order) < op.in.nr_extents || (~0ull >> op.out.extent_order) < op.out.nr_extents ||
        op.in.nr_extents << op.in.extent_order != op.out.nr_extents << op.out.extent_order)
        return -error(Errno::inval);
    return 0;
}

}  // namespace

std::int64_t memory_exchange(Call& call) {
    xen_memory_exchange_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    const auto answer = [&](std::int64_t result) {
        const std::uint64_t at = call.arg(1) + offsetof(xen_memory_exchange_t, nr_exchanged);
        return call.guest.put(at, op.nr_exchanged) ? result : -error(Errno::fault);
    };
    if (const std::int64_t wrong = check_lists(call, op); wrong != 0) return answer(wrong);
    if (op.nr_exchanged == op.in.nr_extents) return 0;
    for (const xen_memory_reservation_t* list : {&op.in, &op.out})
        if (!may_be_guests(call.domain, reinterpret_cast<std::uint64_t>(list->extent_start.p)))
            return answer(-error(Errno::fault));
    Mfn limit{};
    const bool below = within_address_bits(call, op.out.mem_flags, limit);
    if (!within_node(call, op.out.mem_flags, limit)) return answer(-error(Errno::inval));
    Domain* d = call.host.find_any(DomId{op.in.domid}, call.domain);
    if (!d) return answer(-error(Errno::srch));
    if (!may_target(call.domain, *d)) return answer(-error(Errno::perm));
    if (d->dying()) return answer(0);

    Exchange exchange(call, *d, op, below ? limit : Mfn{0});
    for (std::uint64_t chunk = exchange.first_chunk(); chunk < exchange.chunks(); ++chunk) {
        const std::int64_t result = exchange.perform(chunk);
        op.nr_exchanged = exchange.extents_before(chunk);
        if (result != 0) return answer(result);
    }
    op.nr_exchanged = op.in.nr_extents;
    return answer(0);
}

}  // namespace xenrig::hypervisor
