// Xen's credit scheduler as a policy: shares by weight, caps, boost, stealing (xen/common/sched/credit.c).
#include <gtest/gtest.h>

#include <list>
#include <map>
#include <vector>

#include "sim/hypervisor/credit.h"

namespace xenrig::test {
namespace {

using hypervisor::CreditPriority;
using hypervisor::CreditScheduler;

/// Processors that do nothing but compute, driven as a host drives them: ticks, slices, accounting.
struct Machine {
    explicit Machine(unsigned processors)
        : credit(processors, [](std::uint32_t) { return 0; }), slice_end(processors) {}

    CreditScheduler::Unit& unit(CreditScheduler::Share& share) { return units.emplace_back(share); }
    void wake(CreditScheduler::Unit& unit) {
        if (const auto processor = credit.wake(unit)) schedule(*processor);
    }
    void schedule(std::uint32_t processor) { slice_end[processor] = now + credit.schedule(processor, now).slice; }
    void move(CreditScheduler::Unit& unit) {
        if (const auto processor = credit.sleep(unit)) schedule(*processor);
        if (const auto processor = credit.wake(unit, false)) schedule(*processor);
    }
    /// In steps of a millisecond.
    void run(unsigned milliseconds) {
        for (unsigned i = 0; i < milliseconds; ++i) {
            for (std::uint32_t p = 0; p < credit.processors(); ++p)
                if (auto* runs = credit.current(p)) ran[runs] += 1;
            now = now + 1_ms;
            const std::uint64_t ms = now.value / (1_ms).value;
            for (std::uint32_t p = 0; p < credit.processors(); ++p) {
                if (ms % 10 == 0 && credit.tick(p, now)) move(*credit.current(p));
                if (credit.current(p) && now >= slice_end[p]) schedule(p);
            }
            if (ms % 30 == 0)
                for (const std::uint32_t p : credit.account()) schedule(p);
        }
    }

    CreditScheduler credit;
    std::vector<Nanoseconds> slice_end;
    Nanoseconds now{};
    std::list<CreditScheduler::Unit> units;
    std::map<CreditScheduler::Unit*, unsigned> ran;
};

TEST(Credit, ASliceLastsThirtyMillisecondsWhenSomebodyWaits) {
    Machine m(1);
    CreditScheduler::Share share;
    auto& a = m.unit(share);
    auto& b = m.unit(share);
    m.wake(a);
    m.wake(b);
    EXPECT_EQ(m.credit.current(0), &a) << "who wakes does not take the processor from its equal";
    m.run(29);
    EXPECT_EQ(m.credit.current(0), &a);
    m.run(1);
    EXPECT_EQ(m.credit.current(0), &b);
    m.run(30);
    EXPECT_EQ(m.credit.current(0), &a);
}

TEST(Credit, DomainsShareByWeightAndNotByTheNumberOfTheirVcpus) {
    Machine m(1);
    CreditScheduler::Share light{.weight = 256}, heavy{.weight = 512};
    auto& one = m.unit(light);
    auto& two = m.unit(heavy);
    m.wake(one);
    m.wake(two);
    m.run(30'000);
    EXPECT_NEAR(m.ran[&one], 10'000, 300);
    EXPECT_NEAR(m.ran[&two], 20'000, 300);
}

TEST(Credit, ACapHoldsADomainBackThoughTheProcessorIsIdle) {
    Machine m(1);
    CreditScheduler::Share capped{.cap = 25};
    auto& unit = m.unit(capped);
    m.wake(unit);
    m.run(30'000);
    EXPECT_NEAR(m.ran[&unit], 7'500, 400);
}

TEST(Credit, WhoSleepsMuchIsBoostedBeforeThoseWhoCompute) {
    Machine m(1);
    CreditScheduler::Share share, other;
    auto& busy = m.unit(share);
    auto& quick = m.unit(other);
    m.wake(busy);
    m.run(15);
    m.wake(quick);
    EXPECT_EQ(m.credit.current(0), &quick);
    EXPECT_EQ(quick.priority, CreditPriority::boost);
    m.run(5);
    EXPECT_EQ(quick.priority, CreditPriority::under) << "a tick found it running";
}

TEST(Credit, ABoostedVcpuWaitsUntilTheRunningOneHasHadItsMillisecond) {
    Machine m(1);
    CreditScheduler::Share share, other;
    auto& busy = m.unit(share);
    auto& quick = m.unit(other);
    m.wake(busy);
    busy.priority = CreditPriority::under;
    m.wake(quick);
    EXPECT_EQ(m.credit.current(0), &busy) << "the rate limit";
    EXPECT_EQ(m.slice_end[0], 1_ms);
    m.run(1);
    EXPECT_EQ(m.credit.current(0), &quick);
}

TEST(Credit, AnIdleProcessorStealsFromAnothersQueue) {
    Machine m(2);
    CreditScheduler::Share share;
    auto& a = m.unit(share);
    auto& b = m.unit(share);
    auto& c = m.unit(share);
    m.wake(a);
    m.wake(b);
    EXPECT_EQ(m.credit.current(1), &b) << "who wakes goes where nobody is";
    m.wake(c);
    EXPECT_EQ(c.processor, 0u);
    if (const auto processor = m.credit.sleep(b)) m.schedule(*processor);
    EXPECT_EQ(m.credit.current(1), &c);
}

TEST(Credit, APinnedVcpuIsNotStolen) {
    Machine m(2);
    CreditScheduler::Share share;
    auto& a = m.unit(share);
    auto& b = m.unit(share);
    b.pinned = 0;
    m.wake(a);
    m.wake(b);
    m.run(10);
    EXPECT_EQ(m.credit.current(1), nullptr);
    EXPECT_EQ(m.credit.current(0), &a);
    m.run(10);
    EXPECT_EQ(m.credit.current(0), &b);
    EXPECT_EQ(m.credit.current(1), &a) << "a tick moves the one that may";
}

TEST(Credit, AYieldLetsOneOfLowerPriorityGoFirst) {
    Machine m(1);
    CreditScheduler::Share share, poor;
    auto& a = m.unit(share);
    auto& b = m.unit(poor);
    m.wake(a);
    b.priority = CreditPriority::over;
    m.wake(b);
    m.now = m.now + 2_ms;
    m.schedule(0);
    EXPECT_EQ(m.credit.current(0), &a) << "without it, it does not";
    a.yields = true;
    m.schedule(0);
    EXPECT_EQ(m.credit.current(0), &b);
}

TEST(Credit, NobodyIsActiveOnceAllHaveSleptLongEnough) {
    Machine m(1);
    CreditScheduler::Share share;
    auto& a = m.unit(share);
    m.wake(a);
    m.run(100);
    EXPECT_FALSE(m.credit.idle());
    if (const auto processor = m.credit.sleep(a)) m.schedule(*processor);
    m.run(100);
    EXPECT_TRUE(m.credit.idle());
}

}  // namespace
}  // namespace xenrig::test
