// Which requests a backend does, and what it answers to the others.
#include "xenrig/drivers/blk/validate.h"

#include <gtest/gtest.h>

namespace xenrig::blk {
namespace {

struct Seg {
    std::uint8_t first, last;
};

Request request(std::uint8_t op, std::uint64_t sector, std::initializer_list<Seg> segments) {
    Request r;
    clear(r);
    r.operation = op;
    r.sector_number = sector;
    for (const Seg& s : segments) {
        r.seg[r.nr_segments].first_sect = s.first;
        r.seg[r.nr_segments++].last_sect = s.last;
    }
    return r;
}

constexpr Extent kDisk{.units = 1000};

struct Case {
    const char* name;
    Request request;
    Extent disk;
    Verdict verdict;
};

class Validate : public testing::TestWithParam<Case> {};

TEST_P(Validate, ARequestGetsTheVerdictOfTheTable) {
    EXPECT_STREQ(describe(validate(GetParam().request, GetParam().disk)), describe(GetParam().verdict));
}

Request with_count(Request r, std::uint8_t count) {
    r.nr_segments = count;
    return r;
}

const Seg kPage{0, 7};

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
        Case{"Discard", request(5, 0, {}), kDisk, Verdict::unknown_operation},
        Case{"Indirect", request(6, 0, {}), kDisk, Verdict::unknown_operation},
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
    for (auto v : {Verdict::bad_segment_count, Verdict::read_only, Verdict::bad_segment_range,
                   Verdict::not_whole_sectors, Verdict::beyond_end})
        EXPECT_EQ(status_of(v), Status::error) << describe(v);
}

}  // namespace
}  // namespace xenrig::blk
