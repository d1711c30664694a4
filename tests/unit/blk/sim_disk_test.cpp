// The simulated disk: what a power cut may take, what a flush protects, and in which order things happen.
#include "xenrig/drivers/blk/sim_disk.h"

#include <gtest/gtest.h>

#include "storage_driver.h"

namespace xenrig::blk {
namespace {

/// Draws what the test has laid out, then zeros.
struct SimDiskTest : testing::Test {
    HandClock clock;
    std::vector<std::uint32_t> answers;
    std::size_t drawn = 0;
    SimDiskOptions options{.info = {.bytes = 64 * 512}};
    std::unique_ptr<SimDisk> disk;

    void SetUp() override { make(); }
    void make() {
        disk = std::make_unique<SimDisk>(clock, options, [this](std::uint32_t n) {
            const std::uint32_t answer = drawn < answers.size() ? answers[drawn] : 0;
            ++drawn;
            EXPECT_LT(answer, n);
            return answer;
        });
    }
    void settle() { clock.advance(10_ms); }
    char durable(std::uint64_t sector) const {
        std::array<std::byte, 512> out;
        disk->peek_durable(sector * 512, out);
        return static_cast<char>(out[17]);
    }
    char visible(std::uint64_t sector) const {
        std::array<std::byte, 512> out;
        disk->peek(sector * 512, out);
        return static_cast<char>(out[17]);
    }
};

TEST_F(SimDiskTest, AnOperationTakesItsTime) {
    auto op = write(*disk, 3, 'a');
    clock.advance(49_us);
    EXPECT_FALSE(op->over);
    EXPECT_EQ(visible(3), 0);
    clock.advance(1_us);
    EXPECT_TRUE(op->over);
    EXPECT_EQ(visible(3), 'a');
}

TEST_F(SimDiskTest, ACompletedWriteIsReadBackButIsLostAtAPowerCut) {
    write(*disk, 3, 'a', 2);
    settle();
    auto again = read(*disk, 2, 4);
    settle();
    EXPECT_EQ(static_cast<char>(again->bytes[0]), 0);
    EXPECT_EQ(static_cast<char>(again->bytes[512]), 'a');
    EXPECT_EQ(static_cast<char>(again->bytes[1023]), 'a');
    EXPECT_EQ(disk->volatile_sectors(), 2u);

    disk->power_cut();
    EXPECT_EQ(visible(3), 0);
    EXPECT_EQ(durable(4), 0);
}

TEST_F(SimDiskTest, WhatWasFlushedSurvivesAPowerCut) {
    write(*disk, 3, 'a');
    settle();
    auto op = flush(*disk);
    settle();
    EXPECT_TRUE(op->result);
    EXPECT_EQ(disk->volatile_sectors(), 0u);
    disk->power_cut();
    EXPECT_EQ(visible(3), 'a');
}

TEST_F(SimDiskTest, AFlushCoversOnlyWhatWasCompletedWhenItWasSubmitted) {
    write(*disk, 1, 'a');
    settle();
    write(*disk, 2, 'b');  // in flight
    flush(*disk);
    settle();
    EXPECT_EQ(durable(1), 'a');
    EXPECT_EQ(durable(2), 0);
    EXPECT_EQ(visible(2), 'b');
}

TEST_F(SimDiskTest, AFlushOfAnOldContentLeavesTheNewOneVolatile) {
    write(*disk, 1, 'a');
    settle();
    flush(*disk);
    write(*disk, 1, 'b');
    settle();
    EXPECT_EQ(visible(1), 'b');
    EXPECT_EQ(durable(1), 'a');
    EXPECT_EQ(disk->volatile_sectors(), 1u);
}

TEST_F(SimDiskTest, OfTwoFlushesThatCompleteInTheWrongOrderTheLaterContentStays) {
    options.latency_choices = 3;
    answers = {0, 2, 0, 0};  // write, slow flush, write, fast flush
    make();
    write(*disk, 1, 'a');
    clock.advance(50_us);
    auto slow = flush(*disk);
    write(*disk, 1, 'b');
    clock.advance(50_us);
    auto fast = flush(*disk);
    clock.advance(50_us);
    EXPECT_TRUE(fast->over);
    EXPECT_EQ(durable(1), 'b');
    settle();
    EXPECT_TRUE(slow->over);
    EXPECT_EQ(durable(1), 'b');
}

TEST_F(SimDiskTest, LatenciesDrawnFromChoicesMixTheOrder) {
    options.latency_choices = 4;
    answers = {3, 0};
    make();
    auto slow = write(*disk, 1, 'a'), fast = write(*disk, 1, 'b');
    clock.advance(50_us);
    EXPECT_TRUE(fast->over);
    EXPECT_FALSE(slow->over);
    settle();
    EXPECT_EQ(visible(1), 'a') << "the write that completed last";
}

TEST_F(SimDiskTest, APowerCutFailsWhatIsInFlightAndSomeOfItsSectorsMayHaveArrived) {
    auto op = write(*disk, 4, 'w', 3);
    answers = {0, 1, 0};
    disk->power_cut();
    EXPECT_TRUE(op->over);
    EXPECT_EQ(op->result.error().code, Errno::io);
    EXPECT_EQ(durable(4), 0);
    EXPECT_EQ(durable(5), 'w');
    EXPECT_EQ(durable(6), 0);
    settle();
    EXPECT_EQ(disk->in_flight(), 0u);
}

TEST_F(SimDiskTest, ASectorThatTheDiskWroteBackOnItsOwnSurvives) {
    write(*disk, 1, 'a');
    write(*disk, 2, 'b');
    settle();
    answers = {1, 0};
    disk->power_cut();
    EXPECT_EQ(durable(1), 'a');
    EXPECT_EQ(durable(2), 0);
}

TEST_F(SimDiskTest, AWriteAfterAPowerCutIsNewerThanAllBefore) {
    write(*disk, 4, 'w');
    answers = {1};
    disk->power_cut();
    write(*disk, 4, 'x');
    settle();
    flush(*disk);
    settle();
    EXPECT_EQ(durable(4), 'x');
}

TEST_F(SimDiskTest, AFailedWriteHasDoneNothing) {
    options.error_one_in = 10;
    answers = {9};
    make();
    auto op = write(*disk, 1, 'a');
    settle();
    EXPECT_EQ(op->result.error().code, Errno::io);
    EXPECT_EQ(visible(1), 0);
    auto next = write(*disk, 1, 'b');
    settle();
    EXPECT_TRUE(next->result);
}

TEST_F(SimDiskTest, WithoutACacheAWriteIsDurableWhenItCompletes) {
    options.volatile_cache = false;
    make();
    write(*disk, 1, 'a');
    settle();
    disk->power_cut();
    EXPECT_EQ(durable(1), 'a');
}

TEST_F(SimDiskTest, ADiskThatGoesAwayCompletesNothingAndKeepsNoOperation) {
    auto op = write(*disk, 1, 'a');
    disk.reset();
    settle();
    EXPECT_FALSE(op->over);
    EXPECT_EQ(op.use_count(), 1);
}

}  // namespace
}  // namespace xenrig::blk
