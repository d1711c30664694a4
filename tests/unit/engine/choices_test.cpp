// Choices: 0 costs a comparison, what is not 0 is recorded, and the record replays.
#include <gtest/gtest.h>

#include "sim/engine/choices.h"
#include "sim/engine/sources.h"

namespace xenrig::engine {
namespace {

std::vector<std::uint32_t> draw(Source& source, std::vector<Pick>* picks = nullptr) {
    Choices choices{source};
    const StreamId a = choices.add_stream("a", StreamKind::schedule);
    const StreamId b = choices.add_stream("b", StreamKind::data);
    std::vector<std::uint32_t> drawn;
    for (int i = 0; i < 200; ++i) {
        drawn.push_back(choices.pick(a, 3));
        drawn.push_back(choices.pick(b, 5));
    }
    if (picks) *picks = choices.picks();
    return drawn;
}

TEST(Choices, OneSeedGivesOneSequenceAndAnotherSeedAnother) {
    SeededSource one{1}, again{1}, two{2};
    const auto first = draw(one);
    EXPECT_EQ(first, draw(again));
    EXPECT_NE(first, draw(two));
}

TEST(Choices, TheRecordedPicksReplayTheRunAndHoldNoZero) {
    SeededSource seeded{7};
    std::vector<Pick> picks;
    const auto run = draw(seeded, &picks);
    ASSERT_FALSE(picks.empty());
    for (const Pick& p : picks) EXPECT_NE(p.value, 0u);
    ReplaySource replay{picks};
    EXPECT_EQ(draw(replay), run);
}

TEST(Choices, TakingOnePickAwayShiftsNoOther) {
    SeededSource seeded{7};
    std::vector<Pick> picks;
    auto run = draw(seeded, &picks);
    const Pick gone = picks[picks.size() / 2];
    picks.erase(picks.begin() + static_cast<std::ptrdiff_t>(picks.size() / 2));
    const bool first_stream = gone.key == stream_key("a");
    run[2 * gone.ordinal + (first_stream ? 0 : 1)] = 0;
    ReplaySource replay{picks};
    EXPECT_EQ(draw(replay), run);
}

TEST(Choices, PassAnswersOnlyZeroAndCountsIt) {
    std::vector<Pick> picks{{stream_key("a"), 2, 3}};
    ReplaySource replay{picks};
    Choices choices{replay};
    const StreamId a = choices.add_stream("a", StreamKind::schedule);
    EXPECT_TRUE(choices.pass(a));
    EXPECT_TRUE(choices.pass(a));
    EXPECT_TRUE(choices.pass(a));
    EXPECT_FALSE(choices.pass(a));
    EXPECT_EQ(choices.pick(a, 5), 2u);
    EXPECT_TRUE(choices.pass(a));
}

TEST(Choices, TheExhaustiveSourceVisitsEachLeafOfAnUnevenTreeOnce) {
    ExhaustiveSource source;
    std::vector<std::string> leaves;
    do {
        Choices choices{source};
        const StreamId a = choices.add_stream("a", StreamKind::data);
        std::string leaf;
        leaf += static_cast<char>('0' + choices.pick(a, 3));
        if (leaf != "1") leaf += static_cast<char>('0' + choices.pick(a, 2));
        leaves.push_back(leaf);
    } while (source.advance());
    EXPECT_EQ(leaves, (std::vector<std::string>{"00", "01", "1", "20", "21"}));
}

}  // namespace
}  // namespace xenrig::engine
