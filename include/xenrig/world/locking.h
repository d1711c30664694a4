// The experiment that FreeBSD's xen(4) warns about: locks that spin, in a guest with more vCPUs than processors.
//
// Tasks of one guest, one a vCPU, compute, take a lock, compute under it and let it go, for a while of virtual time. A
// neighbour that only computes takes more and more of the processors. Each cell of the sweep is run with each kind of
// lock and several seeds; what is counted there and what the events cost (lock_costs.h) give the processor time that a
// critical section costs beside its own, and so which kind is the cheapest, and where that turns.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "xenrig/world/lock_costs.h"
#include "xenrig/world/scenario.h"

namespace xenrig::world {

/// Of the guest with the locks, over all runs of a cell.
struct LockCounts {
    std::uint64_t sections = 0;
    /// Sections that found the lock taken.
    std::uint64_t contended = 0;
    /// Rounds of spin loops; tasks that went to sleep for the lock.
    std::uint64_t spins = 0, sleeps = 0;
    /// A vCPU that goes idle makes one, too (SCHEDOP_block).
    std::uint64_t hypercalls = 0;
    std::uint64_t upcalls = 0;
    /// Times that Xen gave a processor to one of its vCPUs, took it away while there was work, and did that to a vCPU
    /// in the middle of a critical section.
    std::uint64_t placed = 0, descheduled = 0, holder_descheduled = 0;
    /// Nanoseconds of all its vCPUs: with a processor, and waiting for one (steal time).
    std::uint64_t running_ns = 0, stolen_ns = 0;
};

struct LockCell {
    LockKind kind{};
    /// Hundredths of a vCPU a processor.
    unsigned overcommit = 100;
    Nanoseconds hold{};
    LockCounts counts;

    /// Processor time beside the sections' own, nanoseconds a section.
    double overhead_ns(const LockCosts& costs) const;
};

/// Where, for sections of this length, one kind stops being the cheapest.
struct Turn {
    Nanoseconds hold{};
    LockKind before{}, after{};
    /// Hundredths of a vCPU a processor: cheapest so far, and from where on it is not.
    unsigned last = 0, first = 0;
};

struct LockingReport {
    std::vector<LockCell> cells;
    LockCosts costs;
    /// What went wrong in a run, if anything did; then the cells are incomplete.
    std::string problem;

    const LockCell* cell(LockKind kind, unsigned overcommit, Nanoseconds hold) const;
    LockKind cheapest(unsigned overcommit, Nanoseconds hold) const;
    /// Every change of the cheapest kind as the overcommit grows, by length of the section.
    std::vector<Turn> turns() const;
    std::vector<unsigned> overcommits() const;
    std::vector<Nanoseconds> holds() const;
    std::vector<LockKind> kinds() const;
};

/// `scenario` has a [locking]. `progress` is told of runs done and to be done.
LockingReport run_locking(const Scenario& scenario, std::uint64_t first_seed,
                          const std::function<void(std::uint64_t, std::uint64_t)>& progress);

}  // namespace xenrig::world
