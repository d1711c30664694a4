// Which requests a backend does, and what it answers to the others.
#include "xenrig/drivers/blk/validate.h"

#include <gtest/gtest.h>

namespace xenrig::blk {
namespace {

struct Seg {
    std::uint8_t first, last;
};

Command request(std::uint8_t op, std::uint64_t sector, std::initializer_list<Seg> segments) {
    Command c{.operation = op, .sector = sector, .segment_count = static_cast<std::uint16_t>(segments.size())};
    for (const Seg& s : segments) c.segments.push_back({.first = s.first, .last = s.last});
    return c;
}

Command indirect(std::uint8_t op, std::uint16_t count) {
    Command c{.operation = op, .indirect = true, .segment_count = count};
    c.segments.assign(count, {.first = 0, .last = 0});
    return c;
}

Command discard(std::uint64_t sector, std::uint64_t units) {
    return {.operation = 5, .sector = sector, .units = units};
}

constexpr Extent kDisk{.units = 1000};

struct Case {
    const char* name;
    Command request;
    Extent disk;
    Verdict verdict;
    Offer offer{};
};

class Validate : public testing::TestWithParam<Case> {};

TEST_P(Validate, ARequestGetsTheVerdictOfTheTable) {
    EXPECT_STREQ(describe(validate(GetParam().request, GetParam().disk, GetParam().offer)),
                 describe(GetParam().verdict));
}

Command with_count(Command r, std::uint16_t count) {
    r.segment_count = count;
    return r;
}

const Seg kPage{0, 7};
constexpr Offer kAll{.flush = true, .barrier = true, .discard = true, .indirect_segments = 20};

INSTANTIATE_TEST_SUITE_P(
    Table, Validate,
    testing::Values(
        Case{"ReadOfAPage", request(0, 0, {kPage}), kDisk, Verdict::okay},
        Case{"WriteOfElevenPages",
             request(1, 0, {kPage, kPage, kPage, kPage, kPage, kPage, kPage, kPage, kPage, kPage, kPage}), kDisk,
             Verdict::okay},
        Case{"Flush", request(3, 0, {}), kDisk, Verdict::okay},
        Case{"FlushLooksAtNoSector", request(3, ~0ull, {}), kDisk, Verdict::okay},
        Case{"Barrier", request(2, 0, {kPage}), kDisk, Verdict::unknown_operation},
        Case{"ReservedOperation", request(4, 0, {kPage}), kDisk, Verdict::unknown_operation},
        Case{"Discard", discard(0, 8), kDisk, Verdict::unknown_operation},
        Case{"Indirect", indirect(0, 12), kDisk, Verdict::unknown_operation},
        Case{"FlushThatIsNotOffered", request(3, 0, {}), kDisk, Verdict::unknown_operation, {.flush = false}},
        Case{"OfferedBarrier", request(2, 0, {kPage}), kDisk, Verdict::okay, kAll},
        Case{"BarrierWithoutData", request(2, ~0ull, {}), kDisk, Verdict::okay, kAll},
        Case{"BarrierBeyondTheEnd", request(2, 999, {kPage}), kDisk, Verdict::beyond_end, kAll},
        Case{"BarrierOfTwelve", with_count(request(2, 0, {kPage}), 12), kDisk, Verdict::bad_segment_count, kAll},
        Case{"BarrierOnAReadOnlyDisk",
             request(2, 0, {kPage}),
             {.units = 1000, .read_only = true},
             Verdict::read_only,
             kAll},
        Case{"OfferedDiscard", discard(10, 990), kDisk, Verdict::okay, kAll},
        Case{"DiscardOfNothing", discard(1000, 0), kDisk, Verdict::okay, kAll},
        Case{"DiscardBeyondTheEnd", discard(10, 991), kDisk, Verdict::beyond_end, kAll},
        Case{"DiscardWhoseSumWraps", discard(10, ~0ull - 5), kDisk, Verdict::beyond_end, kAll},
        Case{"DiscardOfPartOfASector",
             discard(8, 12),
             {.units = 1000, .units_per_sector = 8},
             Verdict::not_whole_sectors,
             kAll},
        Case{"DiscardOnAReadOnlyDisk", discard(0, 8), {.units = 1000, .read_only = true}, Verdict::read_only, kAll},
        Case{"OfferedIndirect", indirect(0, 20), kDisk, Verdict::okay, kAll},
        Case{"IndirectOfOne", indirect(1, 1), kDisk, Verdict::okay, kAll},
        Case{"IndirectOfMoreThanOffered", indirect(0, 21), kDisk, Verdict::bad_segment_count, kAll},
        Case{"IndirectOfNone", indirect(1, 0), kDisk, Verdict::bad_segment_count, kAll},
        Case{"IndirectFlush", indirect(3, 1), kDisk, Verdict::bad_indirect_operation, kAll},
        Case{"IndirectInsideIndirect", indirect(6, 1), kDisk, Verdict::bad_indirect_operation, kAll},
        Case{"IndirectWriteToAReadOnlyDisk",
             indirect(1, 20),
             {.units = 1000, .read_only = true},
             Verdict::read_only,
             kAll},
        Case{"IndirectBeyondTheEnd", indirect(0, 20), {.units = 19}, Verdict::beyond_end, kAll},
        Case{"OperationNobodyKnows", request(255, 0, {kPage}), kDisk, Verdict::unknown_operation},
        Case{"UnknownBeforeBadCount", with_count(request(9, 0, {}), 200), kDisk, Verdict::unknown_operation},
        Case{"ReadOfNothing", request(0, 0, {}), kDisk, Verdict::bad_segment_count},
        Case{"TwelveSegments", with_count(request(0, 0, {kPage}), 12), kDisk, Verdict::bad_segment_count},
        Case{"AllBitsOfTheCount", with_count(request(1, 0, {kPage}), 255), kDisk, Verdict::bad_segment_count},
        Case{"FlushWithData", request(3, 0, {kPage}), kDisk, Verdict::bad_segment_count},
        Case{"WriteToAReadOnlyDisk", request(1, 0, {kPage}), {.units = 1000, .read_only = true}, Verdict::read_only},
        Case{"ReadOfAReadOnlyDisk", request(0, 0, {kPage}), {.units = 1000, .read_only = true}, Verdict::okay},
        Case{"LastBeforeFirst", request(0, 0, {{5, 4}}), kDisk, Verdict::bad_segment_range},
        Case{"LastBehindThePage", request(0, 0, {{0, 8}}), kDisk, Verdict::bad_segment_range},
        Case{"LastIs255", request(0, 0, {{0, 255}}), kDisk, Verdict::bad_segment_range},
        Case{"BothBehindThePage", request(0, 0, {{200, 201}}), kDisk, Verdict::bad_segment_range},
        Case{"OnlyTheLastSegmentIsBad", request(0, 0, {kPage, kPage, {7, 6}}), kDisk, Verdict::bad_segment_range},
        Case{"OneSector", request(0, 999, {{3, 3}}), kDisk, Verdict::okay},
        Case{"EndsAtTheEnd", request(1, 992, {kPage}), kDisk, Verdict::okay},
        Case{"EndsBehindTheEnd", request(1, 993, {kPage}), kDisk, Verdict::beyond_end},
        Case{"BeginsAtTheEnd", request(0, 1000, {{0, 0}}), kDisk, Verdict::beyond_end},
        Case{"SumWraps", request(1, ~0ull - 3, {kPage}), kDisk, Verdict::beyond_end},
        Case{"DiskSmallerThanTheRequest", request(0, 0, {kPage}), {.units = 4}, Verdict::beyond_end},
        Case{"WholeSectorOf4096", request(0, 8, {kPage}), {.units = 1000, .units_per_sector = 8}, Verdict::okay},
        Case{"BeginsInsideASector",
             request(0, 4, {kPage}),
             {.units = 1000, .units_per_sector = 8},
             Verdict::not_whole_sectors},
        Case{"PartOfASector",
             request(1, 8, {{0, 3}}),
             {.units = 1000, .units_per_sector = 8},
             Verdict::not_whole_sectors}),
    [](const auto& c) { return std::string(c.param.name); });

TEST(Status, OnlyAnUnknownOperationIsNotSupported) {
    EXPECT_EQ(status_of(Verdict::okay), Status::okay);
    EXPECT_EQ(status_of(Verdict::unknown_operation), Status::not_supported);
    for (auto v : {Verdict::bad_indirect_operation, Verdict::bad_segment_count, Verdict::bad_indirect_page,
                   Verdict::read_only, Verdict::bad_segment_range, Verdict::not_whole_sectors, Verdict::beyond_end})
        EXPECT_EQ(status_of(v), Status::error) << describe(v);
}

}  // namespace
}  // namespace xenrig::blk
