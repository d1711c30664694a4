// Xen's credit scheduler (xen/common/sched/credit.c): which vCPU a processor runs next, and for how long.
//
// The policy alone, without clocks and timers of its own: who owns the processors (processors.h) says when something
// happens. A vCPU that runs burns 10 credits a millisecond; every 30 ms the credits of all processors are shared out by
// the weights of the domains that are active. Who has none left is OVER and comes after those who have (UNDER); who
// wakes with credits is boosted before both until a tick finds it running. Processors without better work steal from
// others' queues. Not modelled: soft affinity, NUMA, hyperthreads.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

inline constexpr Nanoseconds kCreditSlice = 30_ms, kCreditTick = 10_ms, kCreditRateLimit = 1_ms;
inline constexpr std::uint16_t kCreditWeight = 256;

enum class CreditPriority : std::int8_t { boost = 0, under = -1, over = -2, idle = -64 };

class CreditScheduler {
public:
    struct Unit;

    /// What it keeps of a domain. `cap`: percent of one processor that all its vCPUs together may use; 0: no limit.
    struct Share {
        std::uint32_t weight = kCreditWeight;
        std::uint32_t cap = 0;
        /// Newest first, as Xen has them.
        std::list<Unit*> active{};
    };

    /// What it keeps of a vCPU.
    struct Unit {
        explicit Unit(Share& of) : share(of) {}
        Share& share;
        CreditPriority priority = CreditPriority::under;
        std::int64_t credit = 0;
        std::uint64_t residual = 0;
        Nanoseconds started{};        ///< up to when it has paid
        Nanoseconds ran_since{};      ///< when it got its processor
        std::uint32_t processor = 0;  ///< where it runs, is queued or last was
        std::optional<std::uint32_t> pinned{};
        bool runnable = false, running = false, active = false;
        bool yields = false;
        /// Of a domain beyond its cap: not runnable until it has earned credits.
        bool parked = false;
    };

    struct Decision {
        Unit* next;  ///< null: idle
        Nanoseconds slice;
    };

    /// `pick(n)`, 0 to n - 1: which of several idle processors.
    CreditScheduler(std::uint32_t processors, std::function<std::uint32_t(std::uint32_t)> pick);

    std::uint32_t processors() const { return static_cast<std::uint32_t>(runs_.size()); }
    Unit* current(std::uint32_t processor) const { return runs_[processor].current; }

    /// It has something to run. The processor that must schedule() now, if one must (runq_tickle). Who only moves to
    /// another processor is not boosted.
    std::optional<std::uint32_t> wake(Unit& unit, bool boosts = true);
    /// It has nothing to run any more, or may not. The same.
    std::optional<std::uint32_t> sleep(Unit& unit);
    /// It leaves for good; it runs nowhere by now.
    void remove(Unit& unit);

    /// csched_schedule: what the processor runs from now on.
    Decision schedule(std::uint32_t processor, Nanoseconds now);
    /// Every 10 ms on a processor that runs something. True when that had better run elsewhere: schedule() it.
    bool tick(std::uint32_t processor, Nanoseconds now);
    /// Every 30 ms: credits are given out. The processors that must schedule(): a vCPU was parked or may run again.
    std::vector<std::uint32_t> account();
    /// Of a domain, from now on (csched_dom_cntl).
    void set_weight(Share& share, std::uint32_t weight);
    /// Nobody is active: account() has nothing to do.
    bool idle() const { return active_.empty(); }

private:
    struct Processor {
        Unit* current = nullptr;
        std::deque<Unit*> queue;
        std::uint64_t sorted = 0;
    };

    static bool allowed(const Unit& unit, std::uint32_t processor) { return !unit.pinned || *unit.pinned == processor; }
    void insert(Unit& unit);
    bool queued(const Unit& unit) const;
    void unqueue(Unit& unit);
    std::uint32_t best_processor(const Unit& unit) const;
    std::optional<std::uint32_t> tickle(Unit& unit);
    std::vector<std::uint32_t> idlers_for(const Unit& unit) const;
    Unit* steal(std::uint32_t for_processor, CreditPriority than);
    void burn(Unit& unit, Nanoseconds now) const;
    void start_accounting(Unit& unit);
    void stop_accounting(Unit& unit);
    void account(Share& share, std::int64_t fair, std::int64_t cap, std::vector<std::uint32_t>& tickled);

    std::vector<Processor> runs_;
    std::function<std::uint32_t(std::uint32_t)> pick_;
    /// Domains with active vCPUs, in Xen's order.
    std::list<Share*> active_;
    std::uint64_t weight_ = 0;
    std::int64_t balance_ = 0;
    std::uint64_t sorts_ = 0;
    /// Whom a processor without work asked last.
    std::uint32_t bias_ = 0;
};

}  // namespace xenrig::hypervisor
