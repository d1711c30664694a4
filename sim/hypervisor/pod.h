// Populate-on-demand: a translated guest boots with less memory than its physmap promises, and gets a frame where it
// first looks (xen/arch/x86/mm/p2m-pod.c).
//
// Frames wait in a cache, which counts as the domain's memory; gfns wait as entries without a frame. There may be more
// entries than frames: what the guest has left as zeroes is taken back from it, and is an entry again, until its
// balloon driver has returned the difference. When nothing can be taken back the guest crashes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "sim/hypervisor/machine_memory.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class Domain;
class Host;
class Vcpu;

class PodCache {
public:
    PodCache(Host& host, Domain& domain);

    /// 2^order entries from `gfn` on (guest_physmap_mark_populate_on_demand). EBUSY where there is RAM.
    std::int64_t mark(Gfn gfn, unsigned order);
    /// XENMEM_set_pod_target: the cache grows to what the target leaves open; it never shrinks here. ENOMEM when the
    /// host is full.
    std::int64_t set_target(std::uint64_t frames);
    /// The guest looks at an entry: true when a frame stands there now. `caller` is the vCPU whose hypercall it is, if
    /// it is one.
    bool populate(Gfn gfn, Vcpu* caller = nullptr);
    /// XENMEM_decrease_reservation, before it looks itself: entries go, and RAM goes to the cache while that owes more
    /// than it holds. How many of the 2^order gfns are done.
    std::uint64_t decrease(Gfn gfn, unsigned order);
    /// Something else stands where an entry was.
    void replaced() { --entries_; }
    /// A dying domain's frames are given back like the rest.
    std::deque<Mfn> take_all();

    std::uint64_t frames() const { return cache_.size(); }
    std::uint64_t entries() const { return entries_; }
    const std::deque<Mfn>& cache() const { return cache_; }

private:
    void add(Mfn mfn);
    void shrink(std::uint64_t target);
    std::int64_t resize(std::uint64_t target);
    void reclaim(Gfn gfn);
    void reclaim_recent();
    void sweep();

    /// Xen remembers as many of the gfns that it has populated last.
    static constexpr std::size_t kRecent = 32;

    Host& host_;
    Domain& domain_;
    std::deque<Mfn> cache_;
    std::uint64_t entries_ = 0;
    std::array<Gfn, kRecent> recent_;
    std::size_t next_recent_ = 0;
    /// The highest gfn that was populated, and where the next sweep begins; 0: at the highest.
    std::uint64_t highest_ = 0, sweep_from_ = 0;
};

}  // namespace xenrig::hypervisor
