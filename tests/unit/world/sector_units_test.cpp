// Two ends that count a disk's sectors differently: which pairs in the field work, and what becomes of the others.
#include <gtest/gtest.h>

#include "xenrig/world/run.h"

namespace xenrig::world {
namespace {

constexpr BlockUnits kAll[] = {BlockUnits::head, BlockUnits::xen_4_17, BlockUnits::freebsd, BlockUnits::mini_os,
                               BlockUnits::tapdisk};

/// A guest that works on 64 KiB of a disk of 512 KiB.
Scenario pair(BlockUnits backend, BlockUnits frontend, std::uint32_t sector_size) {
    Scenario s;
    s.name = "pair";
    s.block_features = FeatureChoice::plain;
    s.hosts.push_back({.name = "a", .units = backend});
    s.disks.push_back({.name = "data", .size = 512 * 1024, .sector_size = sector_size});
    s.guests.push_back({.name = "web", .host = "a", .disks = {{.disk = "data", .device = "xvda"}}, .units = frontend});
    s.workloads.push_back({.guest = "web", .device = "xvda", .operations = 40});
    return s;
}

/// "well", or the rule that was broken first.
std::string outcome(BlockUnits backend, BlockUnits frontend, std::uint32_t sector_size) {
    const RunReport r = run(pair(backend, frontend, sector_size), {});
    return r.ok() ? "well" : r.problems.front().rule + ": " + r.problems.front().text;
}

TEST(SectorUnits, AreNobodysConcernOnADiskWithSectorsOf512Bytes) {
    for (const BlockUnits backend : kAll)
        for (const BlockUnits frontend : kAll) EXPECT_EQ(outcome(backend, frontend, 512), "well");
}

TEST(SectorUnits, EachEndWorksWithItsOwnKindOnADiskWithLargeSectors) {
    for (const BlockUnits both : kAll)
        for (const std::uint32_t size : {1024u, 2048u, 4096u}) EXPECT_EQ(outcome(both, both, size), "well") << size;
}

/// The table of the commit that settled it, read by columns: what each kind counts in `sector-size`.
struct Column {
    bool size, number, segment, announced;
    friend bool operator==(const Column&, const Column&) = default;
};
constexpr Column kTable[] = {{false, false, false, false},
                             {true, true, true, true},
                             {true, true, false, false},
                             {true, false, false, false},
                             {false, true, false, false}};

TEST(SectorUnits, PairsOfDifferentKindsAreWrongOnADiskWithLargeSectorsAsInTheField) {
    for (std::size_t backend = 0; backend < std::size(kAll); ++backend)
        for (std::size_t frontend = 0; frontend < std::size(kAll); ++frontend) {
            const std::string how = outcome(kAll[backend], kAll[frontend], 4096);
            const Column b = kTable[backend], f = kTable[frontend];
            const std::string which = std::to_string(backend) + " and " + std::to_string(frontend) + ": " + how;
            if (b == f)
                EXPECT_EQ(how, "well") << which;
            else if (b.announced && !f.announced)
                EXPECT_TRUE(how.starts_with("device-closed")) << which << ": QEMU refuses who announces nothing";
            else if (b.size != f.size)
                EXPECT_TRUE(how.starts_with("size")) << which;
            else
                EXPECT_TRUE(how.starts_with("io-error") || how.starts_with("misplaced")) << which;
        }
}

TEST(SectorUnits, ALinuxBackendLooksEightTimesAsLargeToWindows) {
    EXPECT_EQ(outcome(BlockUnits::head, BlockUnits::xen_4_17, 4096),
              "size: the guest takes its disk for 4194304 bytes, which has 524288");
}

TEST(SectorUnits, AFreeBsdBackendLooksAnEighthAsLargeToLinux) {
    EXPECT_EQ(outcome(BlockUnits::freebsd, BlockUnits::head, 4096),
              "size: the guest takes its disk for 65536 bytes, which has 524288");
}

TEST(SectorUnits, TapdiskPutsTheWritesOfLinuxElsewhereAndNobodyIsTold) {
    EXPECT_TRUE(outcome(BlockUnits::tapdisk, BlockUnits::head, 4096).starts_with("misplaced: write "));
}

}  // namespace
}  // namespace xenrig::world
