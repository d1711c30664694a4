// The store answers as the real daemons were recorded to answer.
#include <gtest/gtest.h>

#include "tests/unit/xenstore/conversation.h"

namespace xenrig::xenstore::test {
namespace {

/// How many conversations of each group there are, so that a missing file is not a success.
constexpr std::size_t kConversations = 160;

class Recordings : public testing::TestWithParam<const char*> {
protected:
    static void replay_all(Personality personality, bool exact) {
        std::size_t replayed = 0;
        for (const Recorded& conversation : recorded_conversations()) {
            if (conversation.group != GetParam()) continue;
            ++replayed;
            const std::string difference = replay(conversation, *stage_in_process(personality), personality, exact);
            EXPECT_EQ(difference, "") << conversation.group << "/" << conversation.name << "\n" << difference;
        }
        EXPECT_GT(replayed, 0u);
    }
};

TEST_P(Recordings, OfCXenstoredReplayWithoutADifference) { replay_all(Personality::c, true); }

TEST_P(Recordings, OfOxenstoredReplayWithoutADifference) { replay_all(Personality::o, true); }

INSTANTIATE_TEST_SUITE_P(Xenstore, Recordings,
                         testing::Values("path", "format", "node", "dirpart", "perms", "watch", "tx", "domain",
                                         "guest"),
                         [](const testing::TestParamInfo<const char*>& group) { return std::string(group.param); });

TEST(XenstoreRecordings, AreAllThere) { EXPECT_EQ(recorded_conversations().size(), kConversations); }

}  // namespace
}  // namespace xenrig::xenstore::test
