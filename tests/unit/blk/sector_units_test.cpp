// Sector numbers of a frontend that counts larger sectors, in units of 512 bytes; what is too large must stay so.
#include "xenrig/drivers/blk/sector_units.h"

#include <gtest/gtest.h>

#include "xenrig/drivers/blk/validate.h"

namespace xenrig::blk {
namespace {

constexpr Extent kDisk{.units = 1000, .units_per_sector = 8};

Verdict judged(std::uint64_t sector, Segment segment, const SectorUnits& units) {
    Command command{.operation = BLKIF_OP_READ, .sector = sector, .segment_count = 1, .segments = {segment}};
    scale_numbers(command, wire_units(units, 4096));
    scale_segments(command.segments, wire_units(units, 4096));
    return validate(command, kDisk, {});
}

TEST(SectorUnits, OfAPageAreOneSectorOf4KiBOrEightOf512Bytes) {
    EXPECT_EQ(judged(124, {.first = 0, .last = 0}, kXen417Units), Verdict::okay);
    EXPECT_EQ(judged(125, {.first = 0, .last = 0}, kXen417Units), Verdict::beyond_end);
    EXPECT_EQ(judged(992, {.first = 0, .last = 7}, kHeadUnits), Verdict::okay);
    EXPECT_EQ(judged(993, {.first = 0, .last = 7}, kHeadUnits), Verdict::not_whole_sectors);
    EXPECT_EQ(judged(124, {.first = 0, .last = 7}, kFreeBsdUnits), Verdict::okay);
    EXPECT_EQ(judged(0, {.first = 0, .last = 0}, kHeadUnits), Verdict::not_whole_sectors);
}

TEST(SectorUnits, DoNotComeRoundWhenTheyAreMultiplied) {
    for (const std::uint64_t sector : {1ull << 61, (1ull << 61) + 1, 1ull << 63, ~0ull})
        EXPECT_NE(judged(sector, {.first = 0, .last = 0}, kXen417Units), Verdict::okay) << sector;
    for (unsigned first = 0; first < 256; ++first)
        for (unsigned last = 0; last < 256; ++last) {
            const Segment segment{.first = static_cast<std::uint8_t>(first), .last = static_cast<std::uint8_t>(last)};
            EXPECT_EQ(judged(0, segment, kXen417Units),
                      first == 0 && last == 0 ? Verdict::okay : Verdict::bad_segment_range)
                << first << " to " << last;
        }
    Command discard{.operation = BLKIF_OP_DISCARD, .sector = 1, .units = 1ull << 61};
    scale_numbers(discard, wire_units(kXen417Units, 4096));
    EXPECT_NE(validate(discard, kDisk, {.discard = true}), Verdict::okay);
}

TEST(SectorUnits, AreAllTheSameOnADiskWithSectorsOf512Bytes) {
    for (const SectorUnits& units : {kHeadUnits, kXen417Units, kFreeBsdUnits, kMiniOsUnits, kTapdiskUnits}) {
        const WireUnits wire = wire_units(units, 512);
        EXPECT_TRUE(wire.size == 1 && wire.number == 1 && wire.segment == 1);
    }
}

}  // namespace
}  // namespace xenrig::blk
