// Guests of either word with disks: what the store says of them, and that each pair of ends works.
#include <gtest/gtest.h>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/toolstack/toolstack.h"
#include "sim/world/guest.h"
#include "xenrig/world/run.h"

namespace xenrig::world {
namespace {

std::string told(const RunReport& r) {
    return r.ok() ? ""
                  : r.problems.front().rule + ": " + r.problems.front().text + "\nreplay " + r.token.substr(0, 200);
}

Scenario i386() { return load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/blk-i386.toml").value(); }

TEST(NarrowWorld, EitherEndMayBeAnI386FromEachSeedAndOnItsWayToAnotherHost) {
    unsigned in_flight = 0;
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        const RunReport r = run(i386(), {.seed = seed});
        ASSERT_TRUE(r.ok()) << "seed " << seed << "\n" << told(r);
        EXPECT_EQ(r.operations, 80u);
        EXPECT_EQ(r.migrations, 1u);
        in_flight += r.in_flight_at_suspend;
    }
    EXPECT_GT(in_flight, 0u);
}

TEST(NarrowWorld, AnI386MayBeSuspendedAnywhere) {
    Scenario scenario = i386();
    scenario.workloads[0].operations = 6;
    const EveryReport every = migrate_everywhere(scenario, {.seed = 3}, 60, [](auto, auto) {});
    EXPECT_EQ(every.failures, 0u) << (every.failed.empty() ? "" : told(every.failed.front()));
    EXPECT_EQ(every.runs, 60u);
}

TEST(NarrowWorld, AFailedHypercallOfAnI386IsSeenAsOneOfAnyGuest) {
    Scenario s;
    s.name = "fails";
    s.hosts.push_back({.name = "a"});
    s.disks.push_back({.name = "data"});
    s.guests.push_back({.name = "web", .host = "a", .bits = 32, .disks = {{.disk = "data", .device = "xvda"}}});
    s.workloads.push_back({.guest = "web", .device = "xvda", .operations = 20});
    unsigned struck = 0;
    for (unsigned nth = 1; nth <= 6; ++nth) {
        s.faults = {{.kind = FaultKind::hypercall_fails, .guest = "web", .nth = nth}};
        const RunReport r = run(s, {.seed = nth});
        ASSERT_TRUE(r.ok()) << nth << "\n" << told(r);
        struck += r.faults;
    }
    EXPECT_GT(struck, 0u);
}

TEST(NarrowWorld, TheTokenOfAnotherWordIsRefused) {
    Scenario scenario = i386();
    const std::string token = run(scenario, {.seed = 1}).token;
    scenario.guests[0].bits = 64;
    EXPECT_FALSE(replay(scenario, token));
}

/// What a guest of this word writes into its device's directory.
std::string protocol_of(unsigned bits) {
    engine::SeededSource source(3);
    engine::Engine engine(source, {});
    toolstack::Host host(engine, {.name = "a"});
    toolstack::Toolstack tools(host);
    Guest guest(engine, {.name = "web", .bits = bits, .disks = {{.number = 51712, .params = "data"}}},
                BlockFeatures().with_word(bits));
    std::string protocol;
    engine.run_until([&] { return host.booted(); });
    host.spawn_job("job", [&] {
        const auto built = tools.build(guest.spec());
        ASSERT_TRUE(built) << built.error().to_string();
        guest.bind(host, *built);
        ASSERT_TRUE(host.xen().unpause(*built));
        // A backend as far as its offer goes.
        Store& store = host.control().store();
        const std::string domid = std::to_string(built->value);
        const std::string backend = "/local/domain/0/backend/vbd/" + domid + "/51712/";
        ASSERT_TRUE(store.write(StoreTx::none, backend + "state", "2"));
        const std::string front = "/local/domain/" + domid + "/device/vbd/51712/";
        for (int i = 0; i < 10'000 && protocol.empty(); ++i) {
            scheduler->yield();
            protocol = store.read(StoreTx::none, front + "protocol").value_or("");
        }
    });
    engine.run();
    guest.kill();
    return protocol;
}

TEST(NarrowWorld, AFrontendNamesTheLayoutOfItsOwnWord) {
    EXPECT_EQ(protocol_of(32), "x86_32-abi");
    EXPECT_EQ(protocol_of(64), "x86_64-abi");
}

}  // namespace
}  // namespace xenrig::world
