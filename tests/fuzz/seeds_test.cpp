// Every build replays the seeds of the fuzz targets, and what once broke something; and runs are functions of the
// input.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fuzz/check_reset.h"
#include "tests/fuzz/inputs.h"
#include "tests/fuzz/target.h"

#if defined(XENRIG_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace xenrig::fuzz {
namespace {

std::string seeds_of(const Target& target) { return XENRIG_SOURCE_DIR "/fixtures/fuzz/" + std::string(target.name); }

std::uint64_t run(const Target& target, const std::string& input) {
    return target.run(std::as_bytes(std::span(input)));
}

std::size_t inputs_of(const Target& target) {
#if defined(XENRIG_ASAN)
    // Where frames of stacks lie elsewhere, every run makes a world (memory_image.h).
    if (target.resets && __asan_get_current_fake_stack() != nullptr) return 50;
#endif
    return target.inputs_in_test;
}

class FuzzTarget : public testing::TestWithParam<Target> {};

TEST_P(FuzzTarget, KeepsItsRulesForEverySeed) {
    const auto seeds = read_inputs(seeds_of(GetParam()));
    EXPECT_GE(seeds.size(), 5U);
    for (const std::string& seed : seeds) run(GetParam(), seed);
    run(GetParam(), "");
}

TEST_P(FuzzTarget, AnswersThousandsOfInputsTheSameInAnyOrder) {
    const ResetVerdict verdict =
        check_reset(GetParam(), seeds_of(GetParam()), inputs_of(GetParam()), /*shuffled=*/true, /*progress=*/false);
    EXPECT_EQ(verdict.different, 0U) << "the first is input " << verdict.first_different;
    EXPECT_GT(verdict.distinct, verdict.inputs / 4) << "the hash sees what is answered";
}

TEST(FuzzTargets, ArePlayedInTurnsByOneProcess) {
    std::vector<std::uint64_t> first;
    for (const bool again : {false, true})
        for (const Target& target : targets()) {
            const std::uint64_t hash = run(target, read_inputs(seeds_of(target)).back());
            if (!again)
                first.push_back(hash);
            else
                EXPECT_EQ(hash, first[static_cast<std::size_t>(&target - targets().data())]) << target.name;
        }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzTarget, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace xenrig::fuzz
