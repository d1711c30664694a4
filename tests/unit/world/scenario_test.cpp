// Scenario files: what is said is what comes out, and what is wrong is named with its line and a way out.
#include "xenrig/world/scenario.h"

#include <gtest/gtest.h>

namespace xenrig::world {
namespace {

constexpr const char* kGood = R"(scenario = "two"
version = 3
[host.a]
[host.b]
[disk.data]
kind = "simulated"
size = "2MiB"
latency-us = [5, 50]
[guest.web]
host = "b"
disk = ["data:xvdb"]
[workload.web]
disk = "xvdb"
operations = 7
[migrate]
to = "a"
cancel = true
)";

std::string error_of(std::string text) {
    const auto s = parse_scenario(text, "two.toml");
    return s ? "" : s.error().message;
}

std::string with(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
}

TEST(ScenarioFile, SaysWhatTheFileSays) {
    const auto s = parse_scenario(kGood, "two.toml");
    ASSERT_TRUE(s) << s.error().to_string();
    EXPECT_EQ(s->name, "two");
    EXPECT_EQ(s->version, 3u);
    EXPECT_EQ(s->hosts.size(), 2u);
    EXPECT_EQ(s->disks[0].size, 2_MiB);
    EXPECT_EQ(s->disks[0].latency_max, 50_us);
    EXPECT_EQ(s->guests[0].disks[0].device, "xvdb");
    EXPECT_EQ(s->workloads[0].operations, 7u);
    EXPECT_EQ(s->migrations[0].guest, "web");
    EXPECT_TRUE(s->migrations[0].cancel);
}

std::string guest_error(const std::string& keys) {
    return error_of(with(kGood, "[guest.web]", "[guest.web]\n" + keys));
}

TEST(ScenarioFile, KnowsGuestsOfEachWordAndHowTheyHearOfEvents) {
    const auto s = parse_scenario(
        with(kGood, "[guest.web]", "[guest.web]\ntype = \"pvh\"\nbits = 32\ncallback = \"per-vcpu\""), "two.toml");
    ASSERT_TRUE(s) << s.error().to_string();
    EXPECT_EQ(s->guests[0].bits, 32u);
    EXPECT_EQ(s->guests[0].callback, Callback::per_vcpu);
    EXPECT_NE(s->hash(), parse_scenario(kGood, "two.toml")->hash());
    EXPECT_EQ(guest_error("callback = \"gsi\"\n"), "");
    EXPECT_NE(guest_error("bits = 16\n").find("bits must be 32 or 64"), std::string::npos);
    EXPECT_NE(guest_error("callback = \"nmi\"\n").find("callback must be one of"), std::string::npos);
    EXPECT_NE(guest_error("type = \"pvh\"\ncallback = \"pci-intx\"\n").find("no IO-APIC"), std::string::npos);
    EXPECT_NE(guest_error("type = \"pv\"\nframes = 1024\nbits = 32\n").find("64 bits"), std::string::npos);
    EXPECT_NE(guest_error("type = \"pv\"\nframes = 1024\ncallback = \"gsi\"\n").find("its callbacks"),
              std::string::npos);
}

TEST(ScenarioFile, NamesDriverDomainsAndFaults) {
    const std::string text =
        with(with(kGood, "[guest.web]", "[driver.store]\nhost = \"b\"\n[guest.web]"), "data:xvdb", "data:xvdb@store") +
        "[[fault]]\nkind = \"backend-dies\"\nafter-operations = 5\n[[fault]]\nkind = \"power-cut\"\n";
    const auto s = parse_scenario(text, "two.toml");
    ASSERT_TRUE(s) << s.error().to_string();
    EXPECT_EQ(s->drivers[0].host, "b");
    EXPECT_EQ(s->guests[0].disks[0].driver, "store");
    EXPECT_EQ(s->guests[0].disks[0].device, "xvdb");
    EXPECT_EQ(s->faults[0].driver, "store");
    EXPECT_EQ(s->faults[0].after_operations, 5u);
    EXPECT_EQ(s->faults[1].disk, "data");
    EXPECT_NE(error_of(with(text, "cancel = true", "")).find("can't move"), std::string::npos);
    EXPECT_NE(error_of(with(text, "@store", "@nobody")).find("names driver 'nobody'"), std::string::npos);
    EXPECT_NE(error_of(with(text, "host = \"b\"\n[guest", "host = \"a\"\n[guest")).find("on another host"),
              std::string::npos);
    EXPECT_NE(error_of(with(text, "\"simulated\"", "\"ram\"")).find("has no power to lose"), std::string::npos);
}

TEST(ScenarioFile, ADiskThatTheWorkloadDoesNotFitOrAGuestCanNotNameIsRefused) {
    EXPECT_NE(error_of(with(kGood, "2MiB", "4KiB")).find("give blocks = 1 or a larger size"), std::string::npos);
    EXPECT_NE(error_of(with(with(kGood, "data:xvdb", "data:vda"), "disk = \"xvdb\"", "disk = \"vda\""))
                  .find("'vda' is no disk's name"),
              std::string::npos);
    EXPECT_NE(error_of(with(kGood, "\"data:xvdb\"", "\"data:xvdb\", \"data:d1p0\"")).find("are device 'xvdb'"),
              std::string::npos);
    EXPECT_NE(error_of(with(kGood, "kind = \"simulated\"", "kind = \"simulated\"\nread-only = true"))
                  .find("is read-only; give writes, discards and barriers = 0"),
              std::string::npos);
    EXPECT_NE(error_of("").find("a scenario's name is one word"), std::string::npos);
}

TEST(ScenarioFile, AnUnknownKeyIsRefusedWithItsLineAndTheWordThatWasMeant) {
    EXPECT_EQ(error_of(with(kGood, "disk = [", "disc = [")),
              "two.toml:11: unknown key 'disc' in [guest.web]; did you mean 'disk'?");
    EXPECT_NE(error_of(with(kGood, "operations", "colour"))
                  .find("two.toml:14: unknown key 'colour' in [workload.web]; known are"),
              std::string::npos);
}

TEST(ScenarioFile, AWrongTypeOrNumberIsRefusedWithItsLine) {
    EXPECT_EQ(error_of(with(kGood, "= 7", "= -7")), "two.toml:14: operations must be a number from 0 to 1000000");
    EXPECT_EQ(error_of(with(kGood, "\"2MiB\"", "\"2 potatoes\"")),
              "two.toml:7: size must be bytes, as 1048576 or \"1MiB\"");
    EXPECT_EQ(error_of(with(kGood, "[5, 50]", "[5]")), "two.toml:8: latency-us must be two numbers, [from, to]");
    EXPECT_EQ(error_of(with(kGood, "\"simulated\"", "\"rom\"")),
              "two.toml:6: kind must be one of \"ram\" \"simulated\" \"file\"");
    EXPECT_EQ(error_of(with(kGood, "version = 3", "version = ")).substr(0, 11), "two.toml:2:");
}

TEST(ScenarioFile, ANameThatIsNotThereIsRefusedWithThoseThatAre) {
    EXPECT_EQ(error_of(with(kGood, "host = \"b\"", "host = \"c\"")),
              "two.toml: [guest.web] names host 'c', which is not there (there are: a, b)");
    EXPECT_NE(error_of(with(kGood, "data:xvdb", "dato:xvdb")).find("there are: data"), std::string::npos);
    EXPECT_NE(error_of(with(kGood, "disk = \"xvdb\"", "disk = \"xvdc\"")).find("no device 'xvdc'"), std::string::npos);
    EXPECT_NE(error_of("scenario = \"x\"\n[host.a]\n").find("needs a guest"), std::string::npos);
}

TEST(ScenarioFile, AMissingFileIsNamed) {
    const auto s = load_scenario("/nowhere/x.toml");
    ASSERT_FALSE(s);
    EXPECT_NE(s.error().message.find("/nowhere/x.toml"), std::string::npos);
}

TEST(ScenarioHash, ChangesWithWhatCanChangeARunAndNotWithTheDescription) {
    const Scenario a = parse_scenario(kGood, "f").value();
    Scenario b = a;
    b.description = "other words";
    EXPECT_EQ(a.hash(), b.hash());
    b.workloads[0].operations = 8;
    EXPECT_NE(a.hash(), b.hash());
    b = a;
    b.disks[0].latency_max = 51_us;
    EXPECT_NE(a.hash(), b.hash());
}

TEST(ScenarioFiles, ThoseThatComeWithTheProjectAreGood) {
    const auto s = load_scenario(XENRIG_SOURCE_DIR "/fixtures/scenarios/blk-migrate.toml");
    ASSERT_TRUE(s) << s.error().to_string();
    EXPECT_EQ(s->name, "blk-migrate");
}

}  // namespace
}  // namespace xenrig::world
