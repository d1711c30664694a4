// The store hears and answers as the plain model does: random conversations, made small when they differ.
//
// More of them: store_model --seeds 100000 --first-seed 1000 (store_model.cpp).
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
// Takes its number types from whoever includes it.
#include <xen/io/xs_wire.h>

#include "tests/model/campaign.h"
#include "tests/model/compare.h"
#include "tests/model/generate.h"
#include "tests/model/reference.h"

namespace xenrig::model {
namespace {

#if defined XENRIG_ASAN || defined XENRIG_TSAN
constexpr std::uint64_t kSeeds = 100;
#else
constexpr std::uint64_t kSeeds = 1000;
#endif

class StoreModel : public testing::TestWithParam<std::uint64_t> {};

TEST_P(StoreModel, RandomConversationsAreHeardAsThePlainModelSays) {
    for (std::uint64_t seed = GetParam() * kSeeds; seed < (GetParam() + 1) * kSeeds; ++seed) {
        const auto found = try_seed(seed, {});
        ASSERT_FALSE(found) << found->text;
    }
}

TEST(StoreModelLiveUpdate, IsNotHeardByAnybody) {
    // A transaction ends with EAGAIN, and their numbers begin anew.
    for (std::uint64_t seed = 0; seed < kSeeds / 2; ++seed) {
        const auto found = try_seed(seed, {.transactions = false, .live_updates = true, .steps = 100});
        ASSERT_FALSE(found) << found->text;
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoreModel, testing::Range<std::uint64_t>(0, 4));

TEST(StoreModelConversations, AreFunctionsOfTheirSeed) {
    EXPECT_EQ(show(generate(7, {})), show(generate(7, {})));
    EXPECT_NE(show(generate(7, {})), show(generate(8, {})));
}

TEST(StoreModelConversations, ReachEveryOperationAndEveryError) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        Reference model;
        model.run({Step::Kind::open, "A", 0, {}});
        for (const Step& step : generate(seed, {})) {
            for (const auto& [connection, messages] : model.run(step))
                for (const Message& m : messages)
                    seen.insert(m.type == XS_ERROR ? m.payload.substr(0, m.payload.size() - 1) : name_of(m.type));
        }
    }
    for (std::uint32_t type = XS_DIRECTORY; type <= kSetQuota; ++type) {
        const std::string operation = name_of(type);
        if (type == XS_ERROR || operation.starts_with("op ")) continue;
        EXPECT_TRUE(seen.contains(operation)) << operation;
    }
    for (const char* error :
         {"EINVAL", "EACCES", "ENOENT", "EEXIST", "ENOSPC", "ENOSYS", "EAGAIN", "EBUSY", "EPERM", "ENOMEM", "E2BIG"})
        EXPECT_TRUE(seen.contains(error)) << error;
}

TEST(StoreModelShrinking, LeavesTheStepsThatMatter) {
    // The failure is one that everybody can see: a conversation in which A reads /shared while A2 is there.
    const Fails fails = [](const Conversation& conversation) {
        Reference model;
        model.run({Step::Kind::open, "A", 0, {}});
        for (const Step& step : conversation) {
            const Heard heard = model.run(step);
            const auto found = heard.find("A");
            if (!model.connected("A2") || found == heard.end()) continue;
            for (const Message& m : found->second)
                if (m.type == XS_DIRECTORY && m.payload.starts_with("a")) return true;
        }
        return false;
    };
    std::uint64_t seed = 0;
    while (!fails(generate(seed, {}))) ++seed;
    const Conversation small = shrink(generate(seed, {}), fails);
    EXPECT_LE(small.size(), 8U) << show(small);
    EXPECT_TRUE(fails(small));
}

}  // namespace
}  // namespace xenrig::model
