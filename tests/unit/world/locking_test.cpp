// The locking experiment: what it counts is what happened, and what it concludes follows from counts and costs alone.
#include <gtest/gtest.h>

#include "xenrig/world/locking.h"

namespace xenrig::world {
namespace {

/// Two ends of the sweep, short sections.
Scenario ends() {
    Scenario scenario = load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/adaptive-locking.toml").value();
    scenario.locking->overcommits = {100, 300};
    scenario.locking->holds = {2_us};
    scenario.locking->seeds = 1;
    scenario.locking->duration = 600_ms;
    return scenario;
}

LockingReport measure(const Scenario& scenario) {
    LockingReport report = run_locking(scenario, 7, [](std::uint64_t, std::uint64_t) {});
    EXPECT_EQ(report.problem, "");
    return report;
}

struct Locking : testing::Test {
    static void SetUpTestSuite() { report = new LockingReport(measure(ends())); }
    static void TearDownTestSuite() { delete report; }
    static const LockCounts& counts(LockKind kind, unsigned overcommit) {
        return report->cell(kind, overcommit, 2_us)->counts;
    }
    static double overhead(LockKind kind, unsigned overcommit) {
        return report->cell(kind, overcommit, 2_us)->overhead_ns(report->costs);
    }
    static inline LockingReport* report = nullptr;
};

TEST_F(Locking, WithAProcessorForEachVcpuSpinningForShortSectionsIsCheaperThanSleeping) {
    EXPECT_LT(overhead(LockKind::spin, 100), overhead(LockKind::block, 100));
    EXPECT_LT(overhead(LockKind::adaptive, 100), overhead(LockKind::block, 100));
    EXPECT_NE(report->cheapest(100, 2_us), LockKind::block);
}

TEST_F(Locking, WithThreeVcpusForEachProcessorSleepingIsTheCheapest) {
    EXPECT_GT(overhead(LockKind::spin, 300), overhead(LockKind::block, 300));
    EXPECT_GT(overhead(LockKind::adaptive, 300), overhead(LockKind::block, 300));
    ASSERT_EQ(report->turns().size(), 1u);
    EXPECT_EQ(report->turns()[0].after, LockKind::block);
    EXPECT_EQ(report->turns()[0].last, 100u);
    EXPECT_EQ(report->turns()[0].first, 300u);
}

TEST_F(Locking, HoldersLoseTheirProcessorsOnlyWhereThereAreTooFewAndThatIsWhenOthersSpinLong) {
    EXPECT_EQ(counts(LockKind::spin, 100).descheduled, 0u);
    EXPECT_GT(counts(LockKind::spin, 300).holder_descheduled, 0u);
    EXPECT_GT(counts(LockKind::spin, 300).stolen_ns, counts(LockKind::spin, 300).running_ns / 2);
    const auto spins_a_section = [&](unsigned overcommit) {
        const LockCounts& c = counts(LockKind::spin, overcommit);
        return static_cast<double>(c.spins) / static_cast<double>(c.sections);
    };
    EXPECT_GT(spins_a_section(300), 2 * spins_a_section(100));
}

TEST_F(Locking, ALockThatBlocksHardlySpinsAndPaysBySwitchesAndEvents) {
    const LockCounts& block = counts(LockKind::block, 100);
    const LockCounts& spin = counts(LockKind::spin, 100);
    EXPECT_LT(block.spins * 10, spin.spins);
    EXPECT_GT(block.sleeps, 0u);
    EXPECT_GE(block.hypercalls, block.sleeps) << "who sleeps leaves its vCPU idle";
    EXPECT_GT(block.upcalls, 0u);
    EXPECT_EQ(spin.sleeps, 0u);
    EXPECT_EQ(spin.hypercalls, 0u);
}

TEST_F(Locking, OtherCostsAndTheConclusionIsAnother) {
    LockingReport other = *report;
    other.costs = {
        .spin_round_ns = 500, .context_switch_ns = 0, .hypercall_ns = 0, .upcall_ns = 0, .vcpu_switch_ns = 0};
    EXPECT_EQ(other.cheapest(100, 2_us), LockKind::block) << "if nothing else costs, not to spin is best";
    other.costs = {.spin_round_ns = 0};
    EXPECT_NE(other.cheapest(300, 2_us), LockKind::block) << "if spinning is free, it wins";
}

TEST_F(Locking, TheSameSeedGivesTheSameCounts) {
    Scenario scenario = ends();
    scenario.locking->kinds = {LockKind::adaptive};
    scenario.locking->overcommits = {300};
    const LockCounts again = measure(scenario).cells.front().counts;
    const LockCounts& before = counts(LockKind::adaptive, 300);
    EXPECT_EQ(again.sections, before.sections);
    EXPECT_EQ(again.spins, before.spins);
    EXPECT_EQ(again.stolen_ns, before.stolen_ns);
}

TEST(LockingScenario, WhatIsMissingIsSaidWithTheWord) {
    const auto error = [](const std::string& locking, const char* cpus = "cpus = 2") {
        const auto parsed = parse_scenario(std::string("scenario = \"x\"\n[host.a]\n") + cpus +
                                               "\n[guest.g]\nhost = \"a\"\nvcpus = 2\n[locking]\n" + locking,
                                           "x.toml");
        return parsed ? "" : parsed.error().message;
    };
    EXPECT_EQ(error(""), "");
    EXPECT_NE(error("", "").find("cpus"), std::string::npos);
    EXPECT_NE(error("kinds = [\"ticket\"]").find("\"adaptive\""), std::string::npos);
    EXPECT_NE(error("vcpus-per-cpu = [0.5]").find("vcpus-per-cpu"), std::string::npos);
    EXPECT_NE(error("section-us = []").find("section-us"), std::string::npos);
    EXPECT_NE(error("guest = \"other\"").find("other"), std::string::npos);
}

}  // namespace
}  // namespace xenrig::world
