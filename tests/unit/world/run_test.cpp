// Whole worlds: scenarios run, replay to the same trace, and end as they should from any seed and any choice point.
#include "xenrig/world/run.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace xenrig::world {
namespace {

Scenario named(const std::string& name) {
    return load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/" + name + ".toml").value();
}

Scenario blk_migrate() { return named("blk-migrate"); }

std::string told(const RunReport& r) {
    std::string text;
    for (const Problem& p : r.problems) text += p.rule + ": " + p.text + "\n";
    for (const std::string& line : r.trace_tail) text += line + "\n";
    return text + "replay " + r.token.substr(0, 200);
}

TEST(Scenario, BlkMigrateIsWellWithTheMildestChoices) {
    const RunReport r = run(blk_migrate(), {});
    EXPECT_TRUE(r.ok()) << told(r);
    EXPECT_EQ(r.operations, 60u);
    EXPECT_EQ(r.migrations, 1u);
}

TEST(Scenario, BlkMigrateIsWellFromEachSeedAndSomeSuspendsFindRequestsInFlight) {
    unsigned in_flight = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const RunReport r = run(blk_migrate(), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << "\n" << told(r);
        EXPECT_EQ(r.operations, 60u);
        in_flight += r.in_flight_at_suspend;
    }
    EXPECT_GT(in_flight, 0u);
}

TEST(Scenario, ATokenReplaysTheRunStepForStep) {
    const Scenario scenario = blk_migrate();
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        const RunReport first = run(scenario, {.seed = seed});
        const auto again = replay(scenario, first.token);
        ASSERT_TRUE(again) << again.error().to_string();
        EXPECT_EQ(again->hash, first.hash);
        EXPECT_EQ(again->steps, first.steps);
        EXPECT_EQ(again->token, first.token);
    }
}

TEST(Scenario, ATokenOfAnotherScenarioOrVersionIsRefused) {
    Scenario scenario = blk_migrate();
    const std::string token = run(scenario, {.seed = 1}).token;
    scenario.workloads[0].operations = 61;
    EXPECT_NE(replay(scenario, token).error().message.find("another version"), std::string::npos);
    scenario.name = "other";
    EXPECT_NE(replay(scenario, token).error().message.find("'blk-migrate'"), std::string::npos);
    EXPECT_FALSE(replay(scenario, token.substr(0, token.size() / 2)));
}

/// fixtures/failures: each token is a run that failed once, and its name says of what.
TEST(Scenario, RunsThatFailedOnceAreWell) {
    unsigned tokens = 0;
    for (const auto& entry : std::filesystem::directory_iterator(XENRIG_SOURCE_DIR "/fixtures/failures")) {
        std::ifstream in(entry.path());
        std::string token;
        ASSERT_TRUE(in >> token) << entry.path();
        const auto name = scenario_of(token);
        ASSERT_TRUE(name) << entry.path() << name.error().to_string();
        const auto r = replay(named(*name), token);
        ASSERT_TRUE(r) << entry.path() << r.error().to_string();
        EXPECT_TRUE(r->ok()) << entry.path() << "\n" << told(*r);
        ++tokens;
    }
    EXPECT_GT(tokens, 0u);
}

TEST(Scenario, ACancelledSuspendIsNoSuspend) {
    Scenario scenario = blk_migrate();
    scenario.migrations[0].cancel = true;
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        const RunReport r = run(scenario, {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << "\n" << told(r);
    }
}

TEST(Scenario, AGuestMayMoveThereAndBackAgain) {
    Scenario scenario = blk_migrate();
    scenario.migrations[0].after_operations = 20;
    scenario.migrations.push_back({.guest = "web", .to = "a", .after_operations = 60});
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const RunReport r = run(scenario, {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << "\n" << told(r);
    }
}

TEST(Scenario, LargeOperationsMoveAmongBackendsOfDifferentLimits) {
    const Scenario scenario = named("blk-large");
    unsigned in_flight = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const RunReport r = run(scenario, {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << "\n" << told(r);
        EXPECT_EQ(r.migrations, 2u);
        in_flight += r.in_flight_at_suspend;
    }
    EXPECT_GT(in_flight, 0u);
}

TEST(Scenario, BarriersHoldOverSeveralQueuesPowerCutsAndMoves) {
    const Scenario scenario = named("blk-barriers");
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const RunReport r = run(scenario, {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << "\n" << told(r);
    }
}

TEST(Scenario, GuestsOfSeveralVcpusMoveAmongThreeHostsAndASuspendThatIsCalledOffIsFollowedByAMove) {
    const Scenario scenario = named("blk-many");
    for (std::uint64_t seed = 0; seed < 15; ++seed) {
        const RunReport r = run(scenario, {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << "\n" << told(r);
        EXPECT_EQ(r.operations, 260u);
        EXPECT_EQ(r.migrations, 5u);
    }
}

TEST(Scenario, BlkMigrateEndsAlikeWhereverTheSuspendIsAskedFor) {
    const EveryReport every = migrate_everywhere(blk_migrate(), {.seed = 3}, 60, [](std::uint64_t, std::uint64_t) {});
    EXPECT_EQ(every.runs, 60u);
    EXPECT_EQ(every.failures, 0u) << told(every.failed.front());
    EXPECT_GT(every.in_flight_at_suspend, 0u);
}

}  // namespace
}  // namespace xenrig::world
