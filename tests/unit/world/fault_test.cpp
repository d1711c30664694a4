// Worlds that are struck in the middle of their work: what was promised to the guest is kept.
#include <gtest/gtest.h>

#include "xenrig/world/run.h"

namespace xenrig::world {
namespace {

Scenario named(const std::string& name) {
    return load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/" + name + ".toml").value();
}

std::string told(const RunReport& r) { return r.ok() ? "" : r.problems.front().rule + ": " + r.problems.front().text; }

TEST(Faults, WhatWasFlushedIsThereAfterAPowerCutAndTheGuestGoesOn) {
    unsigned failed = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const RunReport r = run(named("blk-power-cut"), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << ": " << told(r);
        EXPECT_EQ(r.operations, 80u);
        failed += r.failed_operations;
    }
    EXPECT_GT(failed, 0u) << "no cut ever came between an operation and its end";
}

TEST(Faults, ABackendThatDiesWithRequestsInFlightLosesNothingThatWasAcknowledged) {
    unsigned repeated = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const RunReport r = run(named("blk-backend-dies"), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << ": " << told(r);
        EXPECT_EQ(r.operations, 80u);
        EXPECT_EQ(r.faults, 1u);
        repeated += r.repeated_operations;
    }
    EXPECT_GT(repeated, 60u);
}

TEST(Faults, AGuestThatDiesWithRequestsInFlightLeavesNothingBehindAndItsNeighbourWorksOn) {
    unsigned lost = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const RunReport r = run(named("blk-guest-dies"), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << ": " << told(r);
        EXPECT_GE(r.operations, 60u);
        lost += r.lost_operations;
    }
    EXPECT_GT(lost, 60u);
}

TEST(Faults, SeveralDriverDomainsMayDieWhileTheDisksLoseTheirPower) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        const RunReport r = run(named("blk-chaos"), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << ": " << told(r);
        EXPECT_EQ(r.operations, 200u);
    }
}

}  // namespace
}  // namespace xenrig::world
