// What the events of a locking experiment cost: the one place from which counts become nanoseconds of processor time.
//
// Every figure is of one machine of its time, and those of the manual and of the paper were written down from memory:
// put your own in a scenario's [costs]. They weigh what was counted, but for spin-round-ns, which also is how often a
// loop looks at the lock.
#pragma once

#include <cstdint>

namespace xenrig::world {

struct LockCosts {
    /// One round of a spin loop: ten PAUSEs of 140 cycles each on a 3 GHz Skylake (Intel's Optimization Reference
    /// Manual, "Pause Latency in Skylake Client Microarchitecture"), and the look at the lock. The experiment's spin
    /// loops take this long, so that it is also how often they look.
    std::uint64_t spin_round_ns = 500;
    /// From one kernel thread to another, without the cache's warmth. Assumed: benchmarks in the manner of lmbench's
    /// lat_ctx give 1 to 2 µs on machines of these years.
    std::uint64_t context_switch_ns = 1'300;
    /// Into Xen and back: 1,228 cycles of a 2.1 GHz Xeon E5-2450 (Dall et al., "ARM Virtualization: Performance and
    /// Architectural Implications", ISCA 2016, table II, Xen on x86).
    std::uint64_t hypercall_ns = 585;
    /// An event delivered into a running guest: a virtual IPI from end to end, 5,562 cycles (the same table), less the
    /// hypercall that sends it.
    std::uint64_t upcall_ns = 2'060;
    /// From one vCPU to another on a processor: 10,534 cycles (the same table, VM switch). Also from idle to a vCPU,
    /// which costs less than that.
    std::uint64_t vcpu_switch_ns = 5'020;
};

}  // namespace xenrig::world
