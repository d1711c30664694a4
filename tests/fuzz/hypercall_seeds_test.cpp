// Every build plays the named seeds of the target `hypercall`, and whatever else lies in its folder: the rules hold,
// the files are what the scripts say, and a run is a function of its input.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "sim/fuzz/blk_target.h"
#include "tests/fuzz/hypercall_seeds.h"

namespace xenrig::fuzz {
namespace {

const std::filesystem::path kFolder = XENRIG_SOURCE_DIR "/fixtures/fuzz/hypercall";

const BlkTarget& target() { return *find_blk_target("hypercall"); }

PlayReport play(const std::string& input) { return target().make()->run(std::as_bytes(std::span(input))); }

std::string problems_of(const PlayReport& report) {
    std::string text;
    for (const engine::Problem& p : report.problems) text += p.oracle + ": " + p.text + '\n';
    for (const std::string& line : report.trace_tail) text += "    " + line + '\n';
    return text;
}

std::string read_file(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST(HypercallTarget, KeepsItsRulesForEverySeed) {
    for (const HypercallSeed& seed : hypercall_seeds()) {
        const PlayReport report = play(seed.input);
        EXPECT_TRUE(report.ok()) << seed.name << ": " << problems_of(report);
        EXPECT_GE(report.steps, seed.calls_min) << seed.name << " makes the hypercalls that it is about";
    }
}

TEST(HypercallTarget, HasTheSeedsOfItsScriptsInFixtures) {
    for (const HypercallSeed& seed : hypercall_seeds())
        EXPECT_TRUE(read_file(kFolder / seed.name) == seed.input)
            << kFolder / seed.name << " is not what the script says: run make_seeds fixtures/fuzz";
}

/// Inputs that once broke a rule stand beside the scripts' own.
TEST(HypercallTarget, KeepsItsRulesForWhateverElseIsInFixtures) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(kFolder)) files.push_back(entry.path());
    ASSERT_GE(files.size(), hypercall_seeds().size());
    std::ranges::sort(files);
    for (const auto& file : files) {
        const PlayReport report = play(read_file(file));
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
