// Every build plays the named seeds of the block targets: the rules hold, the device stands as the seed says, the files
// of fixtures/fuzz are what the scripts say, and a token plays the same run again.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "sim/fuzz/blk_target.h"
#include "sim/fuzz/reset/reset_play.h"
#include "tests/fuzz/blk_seeds.h"
#include "tests/fuzz/inputs.h"

namespace xenrig::fuzz {
namespace {

struct Case {
    const BlkTarget* target;
    std::vector<BlkSeed> (*seeds)();
};

std::span<const std::byte> bytes(const std::string& input) { return std::as_bytes(std::span(input)); }

class BlkTargets : public testing::TestWithParam<Case> {
protected:
    const BlkTarget& target() const { return *GetParam().target; }
    std::filesystem::path folder() const {
        return std::filesystem::path(XENRIG_SOURCE_DIR "/fixtures/fuzz") / target().name;
    }
};

TEST_P(BlkTargets, KeepTheirRulesForEverySeed) {
    std::uint64_t accesses = 0, acts = 0, late = 0, steps = 0;
    unsigned closed = 0;
    const auto seeds = GetParam().seeds();
    ASSERT_GE(seeds.size(), 25U);
    for (const BlkSeed& seed : seeds) {
        const PlayReport report = target().make()->run(bytes(seed.input));
        EXPECT_TRUE(report.ok()) << seed.name << ": " << problems_of(report) << token_of(target(), bytes(seed.input));
        EXPECT_TRUE(seed.ends.empty() ||
                    (report.state.size() == 1 && seed.ends.find(report.state) != std::string::npos))
            << seed.name << ": the victim's state is '" << report.state << "', not one of " << seed.ends;
        accesses += report.accesses;
        acts += report.acts;
        late += report.late_writes;
        steps += report.steps;
        closed += report.state == "4" ? 0 : 1;
    }
    std::printf("%s: %zu seeds, %llu acts, %llu door accesses, %llu steps, %llu late writes; %u devices closed\n",
                std::string(target().name).c_str(), seeds.size(), static_cast<unsigned long long>(acts),
                static_cast<unsigned long long>(accesses), static_cast<unsigned long long>(steps),
                static_cast<unsigned long long>(late), closed);
    EXPECT_GE(accesses / seeds.size(), 20U);
    EXPECT_GT(late, 0U) << "some seed changes what was read";
}

TEST_P(BlkTargets, HaveTheSeedsOfTheirScriptsInFixtures) {
    for (const BlkSeed& seed : GetParam().seeds())
        EXPECT_TRUE(read_input(folder() / seed.name) == seed.input)
            << folder() / seed.name << " is not what the script says: run make_seeds fixtures/fuzz";
}

TEST_P(BlkTargets, PlayTheSameRunFromAToken) {
    const auto seeds = GetParam().seeds();
    for (std::size_t i = 0; i < seeds.size(); i += 10) {
        const auto token = read_token(token_of(target(), bytes(seeds[i].input)));
        ASSERT_TRUE(token.has_value()) << token.error().to_string();
        EXPECT_EQ(token->target, &target());
        EXPECT_TRUE(std::ranges::equal(token->input, bytes(seeds[i].input)));
        const std::uint64_t first = target().make()->run(bytes(seeds[i].input)).hash;
        EXPECT_EQ(target().make()->run(token->input).hash, first);
    }
}

TEST_P(BlkTargets, BringTheirWorldBackAsItWasMade) {
    if (!ResetPlay::possible())
        GTEST_SKIP() << "AddressSanitizer keeps stack frames elsewhere: every run makes a world";
    const auto seeds = GetParam().seeds();
    std::vector<std::uint64_t> in_new_worlds;
    in_new_worlds.reserve(seeds.size());
    for (const BlkSeed& seed : seeds) in_new_worlds.push_back(target().make()->run(bytes(seed.input)).hash);
    ResetPlay world(target());
    for (std::size_t i = 0; i < seeds.size(); ++i)
        EXPECT_EQ(world.run(bytes(seeds[i].input)).hash, in_new_worlds[i]) << seeds[i].name;
    for (std::size_t i = seeds.size(); i-- > 0;)
        EXPECT_EQ(world.run(bytes(seeds[i].input)).hash, in_new_worlds[i]) << seeds[i].name << ", backwards";
}

/// Inputs that once broke a rule, or that a fuzzer found worth keeping, stand beside the scripts' own.
TEST_P(BlkTargets, KeepTheirRulesForWhateverElseIsInFixtures) {
    const auto seeds = GetParam().seeds();
    const auto files = inputs_in(folder());
    for (const auto& file : files) {
        if (std::ranges::find(seeds, file.filename().string(), &BlkSeed::name) != seeds.end()) continue;
        const PlayReport report = target().make()->run(bytes(read_input(file)));
        EXPECT_TRUE(report.ok()) << file << ": " << problems_of(report);
    }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, BlkTargets,
                         testing::Values(Case{find_blk_target("blkback"), blkback_seeds},
                                         Case{find_blk_target("blkfront"), blkfront_seeds}),
                         [](const auto& c) { return std::string(c.param.target->name); });

}  // namespace
}  // namespace xenrig::fuzz
