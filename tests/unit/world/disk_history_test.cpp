#include "sim/world/disk_history.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace xenrig::world {
namespace {

std::vector<std::uint64_t> possible(const DiskHistory& h, unsigned sector = 0) {
    const auto numbers = h.possible(0, sector);
    std::vector<std::uint64_t> sorted(numbers.begin(), numbers.end());
    std::sort(sorted.begin(), sorted.end());
    return sorted;
}

void lose_power(DiskHistory& h) {
    h.power_goes();
    h.power_lost();
}

using Numbers = std::vector<std::uint64_t>;

TEST(DiskHistory, AnAcknowledgedWriteIsWhatAReadShows) {
    DiskHistory h(1, 8);
    h.write_begun(0, 1);
    h.write_acknowledged(0);
    EXPECT_EQ(possible(h), (Numbers{1}));
    EXPECT_FALSE(h.admits(0, 7, 0));
}

TEST(DiskHistory, AFailedWriteMayHaveArrivedInAnySectorUntilItIsSeen) {
    DiskHistory h(1, 8);
    h.write_begun(0, 1);
    h.write_failed(0);
    EXPECT_EQ(possible(h), (Numbers{0, 1}));
    h.seen(0, 0, 1);
    EXPECT_EQ(possible(h, 0), (Numbers{1}));
    EXPECT_EQ(possible(h, 1), (Numbers{0, 1}));
}

TEST(DiskHistory, APowerCutMayTakeWhatWasNotFlushed) {
    DiskHistory h(1, 8);
    h.write_begun(0, 1);
    h.write_acknowledged(0);
    lose_power(h);
    EXPECT_EQ(possible(h), (Numbers{0, 1}));
}

TEST(DiskHistory, APowerCutTakesNothingThatWasFlushed) {
    DiskHistory h(1, 8);
    h.write_begun(0, 1);
    h.write_acknowledged(0);
    h.flush_acknowledged(h.flush_begun());
    lose_power(h);
    EXPECT_EQ(possible(h), (Numbers{1}));
}

TEST(DiskHistory, AFlushDoesNotCoverAWriteThatWasAcknowledgedAfterItsSubmission) {
    DiskHistory h(1, 8);
    h.write_begun(0, 1);
    const auto mark = h.flush_begun();
    h.write_acknowledged(0);
    h.flush_acknowledged(mark);
    lose_power(h);
    EXPECT_EQ(possible(h), (Numbers{0, 1}));
}

TEST(DiskHistory, AFlushThatThePowerCutCameBetweenCoversNothing) {
    DiskHistory h(1, 8);
    h.write_begun(0, 1);
    h.write_acknowledged(0);
    const auto mark = h.flush_begun();
    lose_power(h);
    h.flush_acknowledged(mark);
    lose_power(h);
    EXPECT_EQ(possible(h), (Numbers{0, 1}));
}

TEST(DiskHistory, AFlushThatIsAcknowledgedWhileThePowerGoesCoversNothing) {
    DiskHistory h(1, 8);
    h.power_goes();
    h.write_begun(0, 1);
    h.write_acknowledged(0);
    h.flush_acknowledged(h.flush_begun());
    h.power_lost();
    EXPECT_EQ(possible(h), (Numbers{0, 1}));
}

TEST(DiskHistory, AWriteThatIsAcknowledgedAfterTheCutItBeganBeforeMayBeLost) {
    DiskHistory h(1, 8);
    h.write_begun(0, 1);
    lose_power(h);
    h.write_acknowledged(0);
    EXPECT_EQ(possible(h), (Numbers{0, 1}));
}

TEST(DiskHistory, AWriteUnderWayIsInTheCachesReachOfAFlush) {
    DiskHistory h(1, 8);
    h.write_begun(0, 1);
    h.flush_acknowledged(h.flush_begun());
    lose_power(h);
    EXPECT_EQ(possible(h), (Numbers{0, 1}));
}

}  // namespace
}  // namespace xenrig::world
