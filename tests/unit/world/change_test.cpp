// Worlds whose toolstack changes disks in use: what was promised to the guest is kept.
#include <gtest/gtest.h>

#include "xenrig/world/run.h"

namespace xenrig::world {
namespace {

Scenario named(const std::string& name) {
    return load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/" + name + ".toml").value();
}

std::string told(const RunReport& r) { return r.ok() ? "" : r.problems.front().rule + ": " + r.problems.front().text; }

TEST(Changes, AGuestSeesEachSizeOfItsDiskAndLosesNothingThatLiesInside) {
    unsigned in_flight = 0;
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        const RunReport r = run(named("blk-resize"), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << ": " << told(r);
        EXPECT_EQ(r.operations, 60u);
        EXPECT_EQ(r.changes, 3u);
        in_flight += r.in_flight_at_suspend;
    }
    EXPECT_GT(in_flight, 0u);
}

TEST(Changes, AResizeMayComeAtAnyMomentOfAMigration) {
    const auto r = migrate_everywhere(named("blk-resize"), {}, 40, [](std::uint64_t, std::uint64_t) {});
    EXPECT_EQ(r.runs, 40u);
    EXPECT_EQ(r.failures, 0u) << told(r.failed.front());
}

TEST(Changes, ADiskMayGoAndComeAgainWhileItIsUsed) {
    unsigned repeated = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const RunReport r = run(named("blk-hotplug"), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << ": " << told(r);
        EXPECT_EQ(r.operations, 60u);
        EXPECT_EQ(r.changes, 2u);
        repeated += r.repeated_operations;
    }
    EXPECT_GT(repeated, 0u) << "no operation was under way when its disk went";
}

TEST(Changes, AGuestFindsInEachDriveTheMediumThatIsThereWhereverItMoves) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        const RunReport r = run(named("blk-cdrom"), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << ": " << told(r);
        EXPECT_EQ(r.changes, 3u);
    }
}

TEST(Changes, AreRefusedWhereTheyCanNotBe) {
    const auto refusal = [](const std::function<void(ChangeSpec&)>& change) {
        Scenario s = named("blk-resize");
        s.changes.resize(1);
        change(s.changes.front());
        const auto valid = s.validate();
        return valid ? "" : valid.error().message;
    };
    EXPECT_EQ(refusal([](ChangeSpec&) {}), "");
    EXPECT_NE(refusal([](ChangeSpec& c) { c.disk = "other"; }).find("names disk 'other'"), std::string::npos);
    EXPECT_NE(refusal([](ChangeSpec& c) { c.size = 0; }).find("whole sectors of the disk"), std::string::npos);
    EXPECT_NE(refusal([](ChangeSpec& c) { c.size = 4096; }).find("use its first 65536 bytes"), std::string::npos);
    const auto plug = [](const char* guest, const char* device) {
        return [=](ChangeSpec& c) { c = {.kind = ChangeKind::hotplug, .guest = guest, .device = device}; };
    };
    EXPECT_EQ(refusal(plug("web", "xvda")), "");
    EXPECT_NE(refusal(plug("mail", "xvda")).find("names guest 'mail'"), std::string::npos);
    EXPECT_NE(refusal(plug("web", "xvdb")).find("has no device 'xvdb'"), std::string::npos);
}

}  // namespace
}  // namespace xenrig::world
