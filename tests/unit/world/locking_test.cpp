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
    EXPECT_EQ(error("vcpus-per-cpu = [1, 1.5]\n[costs]\nspin-round-ns = 1"), "");
    const struct {
        std::string locking, says;
        const char* host = "cpus = 2";
    } cases[] = {
        {"", "[host.a] needs cpus", ""},
        {"", "either each [host.NAME] has cpus", "cpus = 2\n[host.b]"},
        {"kinds = [\"ticket\"]", "\"adaptive\""},
        {"kinds = []", "kinds names at least one"},
        {"vcpus-per-cpu = [0.5]", "vcpus-per-cpu is a list of numbers from 1"},
        {"vcpus-per-cpu = [1.25]", "2 cpus times 1.25 must be whole vCPUs"},
        {"vcpus-per-cpu = [1]", "no fewer than guest 'g' has", "cpus = 1"},
        {"section-us = []", "section-us"},
        {"guest = \"other\"", "other"},
        {"[costs]\nspin-round-ns = 0", "spin-round-ns is above 0"},
        {"[costs]\nspin-rounds-ns = 1", "did you mean 'spin-round-ns'"},
        {"[[costs]]\n[[costs]]", "write [costs], once"},
    };
    for (const auto& c : cases)
        EXPECT_NE(error(c.locking, c.host).find(c.says), std::string::npos) << error(c.locking, c.host);
    const auto without = parse_scenario("scenario = \"x\"\n[host.a]\n[guest.g]\nhost = \"a\"\n[costs]\n", "x.toml");
    ASSERT_FALSE(without);
    EXPECT_NE(without.error().message.find("x.toml:5: [costs] are those of a [locking]"), std::string::npos)
        << without.error().message;
}

TEST(LockingScenario, AGuestOfLittleWeightIsFurtherFromAProcessor) {
    Scenario scenario = ends();
    scenario.locking->kinds = {LockKind::block};
    scenario.locking->overcommits = {300};
    const std::uint64_t running = measure(scenario).cells.front().counts.running_ns;
    scenario.guests.front().weight = 64;
    EXPECT_LT(measure(scenario).cells.front().counts.running_ns * 3, running * 2);
}

}  // namespace
}  // namespace xenrig::world
