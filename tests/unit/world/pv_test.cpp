// PV guests in whole worlds: they read and write their disks, serve others', die, and leave nothing behind.
#include <gtest/gtest.h>

#include "xenrig/world/run.h"

namespace xenrig::world {
namespace {

Scenario pv_driver() { return load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/pv-driver.toml").value(); }

/// Each run ends with the domains destroyed and the hosts' books audited: what is left over is a problem.
void well_from_seeds(const Scenario& scenario, std::uint64_t seeds, unsigned operations) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        const RunReport r = run(scenario, {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << ": " << r.problems[0].rule << ": " << r.problems[0].text;
        EXPECT_TRUE(operations == 0 || r.operations == operations) << r.operations;
    }
}

TEST(PvGuests, AFrontendAndABackendAreWellFromEachSeed) { well_from_seeds(pv_driver(), 100, 40); }

TEST(PvGuests, AFrontendTalksToATranslatedBackendAndTheReverse) {
    Scenario scenario = pv_driver();
    scenario.drivers[0].type = GuestType::hvm;
    well_from_seeds(scenario, 40, 40);
    scenario.drivers[0].type = GuestType::pv;
    scenario.guests[0].type = GuestType::hvm;
    well_from_seeds(scenario, 40, 40);
}

TEST(PvGuests, AGuestOfTheControlDomainsBackendIsWellWithMemoryThatItMapsItself) {
    Scenario scenario = pv_driver();
    scenario.drivers.clear();
    scenario.guests[0].disks[0].driver.clear();
    scenario.guests[0].frames = 2600;
    well_from_seeds(scenario, 40, 40);
}

TEST(PvGuests, ADriverDomainThatDiesIsReplaced) {
    Scenario scenario = pv_driver();
    scenario.faults.push_back({.kind = FaultKind::backend_dies, .driver = "storage", .after_operations = 30});
    well_from_seeds(scenario, 40, 40);
}

TEST(PvGuests, AGuestThatDiesLeavesNothing) {
    Scenario scenario = pv_driver();
    scenario.faults.push_back({.kind = FaultKind::guest_dies, .guest = "web", .after_operations = 30});
    well_from_seeds(scenario, 60, 0);
}

TEST(PvGuests, ACancelledSuspendMapsAgainWhatItLetGo) {
    Scenario scenario = pv_driver();
    scenario.migrations.push_back({.guest = "web", .to = "a", .after_operations = 30, .cancel = true});
    well_from_seeds(scenario, 40, 40);
}

Scenario pv_migrate() { return load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/pv-migrate.toml").value(); }

TEST(PvGuests, AGuestMovesInTheMiddleOfItsWork) {
    unsigned in_flight = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const RunReport r = run(pv_migrate(), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << ": " << r.problems[0].rule << ": " << r.problems[0].text;
        EXPECT_EQ(r.operations, 60u);
        in_flight += r.in_flight_at_suspend;
    }
    EXPECT_GT(in_flight, 0u);
}

TEST(PvGuests, AGuestWithSeveralVcpusMovesThereAndBackAgain) {
    Scenario scenario = pv_migrate();
    scenario.guests[0].vcpus = 3;
    scenario.guests[0].frames = 1700;
    scenario.migrations.push_back({.guest = "web", .to = "a", .after_operations = 60});
    well_from_seeds(scenario, 15, 60);
}

TEST(PvGuests, AGuestMayBeAskedToMoveBeforeItHasBooted) {
    const Scenario scenario = pv_migrate();
    const RunReport whole = run(scenario, {});
    ASSERT_TRUE(whole.ok());
    for (std::uint64_t point = 0; point < 20; ++point) {
        const RunReport r = run(scenario, {.migrate_at = point * 400});
        ASSERT_TRUE(r.ok()) << "at " << point * 400 << ": " << r.problems[0].rule << ": " << r.problems[0].text;
        EXPECT_EQ(r.migrations, 1u);
    }
}

TEST(PvGuests, ARunReplaysStepForStep) {
    const Scenario scenario = pv_driver();
    const RunReport first = run(scenario, {.seed = 5});
    const auto again = replay(scenario, first.token);
    ASSERT_TRUE(again) << again.error().to_string();
    EXPECT_EQ(again->hash, first.hash);
}

TEST(PvGuests, AScenarioIsToldApartByItsGuestsType) {
    Scenario scenario = pv_driver();
    const std::uint32_t pv = scenario.hash();
    scenario.guests[0].type = GuestType::hvm;
    EXPECT_NE(scenario.hash(), pv);
}

TEST(PvGuests, HaveMemoryForWhatIsMappedAtTheStart) {
    Scenario scenario = pv_driver();
    scenario.guests[0].frames = 1023;
    const auto valid = scenario.validate();
    ASSERT_FALSE(valid);
    EXPECT_NE(valid.error().message.find("[guest.web]"), std::string::npos) << valid.error().message;
    EXPECT_NE(valid.error().message.find("1024"), std::string::npos) << valid.error().message;
    scenario.guests[0].frames = 1024;
    EXPECT_TRUE(scenario.validate());
    scenario.drivers[0].frames = 512;
    EXPECT_FALSE(scenario.validate());
}

}  // namespace
}  // namespace xenrig::world
