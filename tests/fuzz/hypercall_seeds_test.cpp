// Every build plays the named seeds of the target `hypercall`, and whatever else lies in its folder: the rules hold,
// the files are what the scripts say, and a run is a function of its input.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "sim/fuzz/blk_target.h"
#include "tests/fuzz/hypercall_seeds.h"
#include "tests/fuzz/inputs.h"

namespace xenrig::fuzz {
namespace {

const std::filesystem::path kFolder = XENRIG_SOURCE_DIR "/fixtures/fuzz/hypercall";

const BlkTarget& target() { return *find_blk_target("hypercall"); }

PlayReport play(const std::string& input) { return target().make()->run(std::as_bytes(std::span(input))); }

TEST(HypercallTarget, KeepsItsRulesForEverySeed) {
    for (const HypercallSeed& seed : hypercall_seeds()) {
        const PlayReport report = play(seed.input);
        EXPECT_TRUE(report.ok()) << seed.name << ": " << problems_of(report);
        EXPECT_GE(report.steps, seed.calls_min) << seed.name << " makes the hypercalls that it is about";
    }
}

TEST(HypercallTarget, HasTheSeedsOfItsScriptsInFixtures) {
    for (const HypercallSeed& seed : hypercall_seeds())
        EXPECT_TRUE(read_input(kFolder / seed.name) == seed.input)
            << kFolder / seed.name << " is not what the script says: run make_seeds fixtures/fuzz";
}

/// Inputs that once broke a rule stand beside the scripts' own.
TEST(HypercallTarget, KeepsItsRulesForWhateverElseIsInFixtures) {
    const auto files = inputs_in(kFolder);
    ASSERT_GE(files.size(), hypercall_seeds().size());
    const auto seeds = hypercall_seeds();
    for (const auto& file : files) {
        if (std::ranges::find(seeds, file.filename().string(), &HypercallSeed::name) != seeds.end()) continue;
        const PlayReport report = play(read_input(file));
        EXPECT_TRUE(report.ok()) << file << ": " << problems_of(report);
    }
}

TEST(HypercallTarget, PlaysTheSameRunFromAToken) {
    for (const HypercallSeed& seed : hypercall_seeds()) {
        const auto run = read_token(token_of(target(), std::as_bytes(std::span(seed.input))));
        ASSERT_TRUE(run.has_value()) << run.error().to_string();
        EXPECT_EQ(run->target, &target());
        EXPECT_EQ(run->target->make()->run(run->input).hash, play(seed.input).hash) << seed.name;
    }
}

}  // namespace
}  // namespace xenrig::fuzz
