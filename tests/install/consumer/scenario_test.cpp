// A scenario from C++, with Xenrig's own drivers and with ours.
#include <gtest/gtest.h>

#include <xenrig/world/run.h>
#include <xenrig/world/subject.h>

namespace {

using namespace xenrig::world;

TEST(Installed, AGuestMovesWithXenrigsOwnDrivers) {
    const auto scenario = load_scenario(SCENARIOS "/blk-migrate.toml");
    ASSERT_TRUE(scenario.has_value());
    const RunReport report = run(*scenario, {.seed = 7});
    EXPECT_TRUE(report.ok());
    EXPECT_EQ(report.migrations, 1u);
}

TEST(Installed, AGuestMovesWithOurFrontend) {
    const auto scenario = load_scenario(SCENARIOS "/blk-migrate.toml");
    auto subjects = load_subject(SUBJECT);
    ASSERT_TRUE(subjects.has_value()) << subjects.error().message;
    ASSERT_TRUE(suits(*scenario, *subjects).has_value());
    const RunReport report =
        run(*scenario, {.seed = 7, .subjects = std::make_shared<const Subjects>(std::move(*subjects))});
    EXPECT_TRUE(report.ok());
    EXPECT_EQ(report.operations, 60u);
}

}  // namespace
