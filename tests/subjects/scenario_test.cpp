// A subject in the place of one end of a whole scenario: its data are kept, its guest moves, and a token replays.
#include <gtest/gtest.h>

#include "xenrig/world/run.h"
#include "xenrig/world/subject.h"

namespace xenrig::world {
namespace {

std::shared_ptr<const Subjects> subject(const std::string& name) {
    auto loaded = load_subject(std::string(XENRIG_SUBJECTS) + "/" + name + ".so");
    EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
    return std::make_shared<const Subjects>(std::move(*loaded));
}

Scenario scenario(const std::string& name) {
    return load_scenario(std::string(XENRIG_SOURCE_DIR) + "/fixtures/scenarios/" + name + ".toml").value();
}

void runs_well(const char* name, const char* library, std::uint64_t seeds) {
    RunOptions options{.subjects = subject(library)};
    const Scenario plan = scenario(name);
    unsigned in_flight = 0;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        options.seed = seed;
        const RunReport report = run(plan, options);
        EXPECT_TRUE(report.ok()) << "seed " << seed << ": " << report.problems[0].rule << ": "
                                 << report.problems[0].text;
        EXPECT_GT(report.operations, 0u);
        in_flight += report.in_flight_at_suspend;
    }
    EXPECT_EQ(in_flight != 0, !plan.migrations.empty()) << "no suspend found a request in flight";
}

TEST(SubjectScenario, AFrontendInCKeepsItsDataOnARing) { runs_well("blk-ring", "blkfront_NO_BUG", 4); }
TEST(SubjectScenario, ABackendInCKeepsItsDataOnARing) { runs_well("blk-ring", "blkback_NO_BUG", 4); }
TEST(SubjectScenario, AFrontendInCMovesToAnotherHost) { runs_well("blk-migrate", "blkfront_NO_BUG", 8); }
TEST(SubjectScenario, AGuestMovesBetweenTwoBackendsInC) { runs_well("blk-migrate", "blkback_NO_BUG", 8); }

TEST(SubjectScenario, ADeadGuestsFrontendGoesWithIt) { runs_well("blk-guest-dies", "blkfront_NO_BUG", 4); }

TEST(SubjectScenario, AFrontendThatBelievesAnyStatusLosesDataInAPowerCut) {
    RunOptions options{.subjects = subject("blkfront_FRONT_IGNORES_STATUS")};
    bool lost = false;
    for (std::uint64_t seed = 0; seed < 20 && !lost; ++seed) {
        options.seed = seed;
        const RunReport report = run(scenario("blk-power-cut"), options);
        lost = !report.ok();
        if (!lost) continue;
        // The token is the run, and needs the same library.
        const auto again = replay(scenario("blk-power-cut"), report.token, options.subjects);
        ASSERT_TRUE(again.has_value()) << again.error().message;
        EXPECT_EQ(again->hash, report.hash);
        EXPECT_FALSE(replay(scenario("blk-power-cut"), report.token).has_value());
    }
    EXPECT_TRUE(lost);
}

TEST(SubjectScenario, WhatASubjectCantFollowIsRefused) {
    const auto refused = suits(scenario("blk-resize"), *subject("blkfront_NO_BUG"));
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("[[change]]"), std::string::npos) << refused.error().message;
    EXPECT_FALSE(suits(scenario("blk-migrate"), *subject("bad_CRASH")).has_value());
    EXPECT_FALSE(suits(scenario("blk-backend-dies"), *subject("blkback_NO_BUG")).has_value());
}

}  // namespace
}  // namespace xenrig::world
