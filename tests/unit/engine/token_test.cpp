// Tokens: what goes in comes out, and what is damaged is refused with a word on what to do.
#include "sim/engine/token.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace xenrig::engine {
namespace {

const Token kToken{
    "blk-migrate",
    0x4f1c2ab0,
    "migrate-at=812,model=tso",
    {{stream_key("d1v0.run"), 3, 7}, {stream_key("d1v0.run"), 1, 70000}, {stream_key("d0v0.run"), 250, 0}}};

std::vector<Pick> sorted(std::vector<Pick> picks) {
    std::sort(picks.begin(), picks.end(),
              [](const Pick& a, const Pick& b) { return std::pair{a.key, a.ordinal} < std::pair{b.key, b.ordinal}; });
    return picks;
}

TEST(Token, EncodesToOneWordAndBack) {
    const std::string text = encode(kToken);
    EXPECT_EQ(text.find_first_of(" \n/"), std::string::npos);
    const auto back = decode(text);
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_EQ(back->scenario, kToken.scenario);
    EXPECT_EQ(back->scenario_hash, kToken.scenario_hash);
    EXPECT_EQ(back->options, kToken.options);
    EXPECT_EQ(sorted(back->picks), sorted(kToken.picks));
}

TEST(Token, FortyPicksOfTwoStreamsStayUnderTwoHundredCharacters) {
    Token token{"blk-migrate", 1, "", {}};
    for (std::uint64_t i = 0; i < 40; ++i)
        token.picks.push_back(
            {stream_key(i % 2 ? "d0v0.run" : "d1v0.run"), 1 + static_cast<std::uint32_t>(i % 5), 37 * i});
    EXPECT_LE(encode(token).size(), 200u);
}

TEST(Token, EveryShorterOrChangedFormIsRefusedOrDecodesToAnotherRunButNeverCrashes) {
    const std::string text = encode(kToken);
    for (std::size_t n = 0; n + 2 < text.size(); ++n) {
        const auto cut = decode(text.substr(0, n));
        EXPECT_TRUE(cut || !cut.error().message.empty());
        std::string changed = text;
        changed[n] = changed[n] == '*' ? '+' : '*';
        (void)decode(changed);
    }
    EXPECT_FALSE(decode(""));
    EXPECT_FALSE(decode("x1.a.zz..AA"));
    EXPECT_FALSE(decode("x2.a.00000000..AA"));
}

}  // namespace
}  // namespace xenrig::engine
