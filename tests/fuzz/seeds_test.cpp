// Every build replays the seeds of the fuzz targets, and what once broke something; and runs are functions of the
// input.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sim/engine/choices.h"
#include "sim/engine/sources.h"
#include "tests/fuzz/target.h"

#if defined(XENRIG_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace xenrig::fuzz {
namespace {

std::vector<std::string> seeds_of(const Target& target) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry :
         std::filesystem::directory_iterator(XENRIG_SOURCE_DIR "/fixtures/fuzz/" + std::string(target.name)))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::vector<std::string> seeds;
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return seeds;
}

std::uint64_t run(const Target& target, const std::string& input) {
    return target.run(std::as_bytes(std::span(input)));
}

/// Seeds with a few bytes changed, pieces repeated and other seeds' pieces put in.
class Mutations {
public:
    explicit Mutations(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

    std::string next() {
        std::string input = seeds_[below(seeds_.size())];
        for (std::size_t n = 1 + below(6); n != 0 && !input.empty(); --n) {
            const std::size_t at = below(input.size());
            switch (below(3)) {
                case 0:
                    input[at] = static_cast<char>(below(256));
                    break;
                case 1:
                    input.erase(at, 1 + below(8));
                    break;
                default: {
                    const std::string& other = seeds_[below(seeds_.size())];
                    const std::size_t from = below(other.size() + 1);
                    input.insert(at, other, from, 1 + below(40));
                }
            }
        }
        return input;
    }

private:
    std::size_t below(std::size_t n) { return choices_.pick(data_, static_cast<std::uint32_t>(n)); }

    std::vector<std::string> seeds_;
    engine::SeededSource source_{7};
    engine::Choices choices_{source_};
    engine::StreamId data_ = choices_.add_stream("fuzz.input", engine::StreamKind::data);
};

std::size_t inputs_of(const Target& target) {
#if defined(XENRIG_ASAN)
    // Where frames of stacks lie elsewhere, every run makes a world (memory_image.h).
    if (target.resets && __asan_get_current_fake_stack() != nullptr) return 50;
#endif
    return target.inputs_in_test;
}

class FuzzTarget : public testing::TestWithParam<Target> {};

TEST_P(FuzzTarget, KeepsItsRulesForEverySeed) {
    const auto seeds = seeds_of(GetParam());
    EXPECT_GE(seeds.size(), 5U);
    for (const std::string& seed : seeds) run(GetParam(), seed);
    run(GetParam(), "");
}

TEST_P(FuzzTarget, AnswersThousandsOfInputsTheSameInEitherOrder) {
    const std::size_t inputs_max = inputs_of(GetParam());
    Mutations mutations(seeds_of(GetParam()));
    std::vector<std::string> inputs;
    std::vector<std::uint64_t> hashes;
    for (std::size_t i = 0; i < inputs_max; ++i) {
        inputs.push_back(mutations.next());
        hashes.push_back(run(GetParam(), inputs.back()));
    }
    for (std::size_t i = inputs_max; i-- != 0;) ASSERT_EQ(run(GetParam(), inputs[i]), hashes[i]) << "input " << i;
    std::sort(hashes.begin(), hashes.end());
    const auto distinct = std::unique(hashes.begin(), hashes.end()) - hashes.begin();
    EXPECT_GT(distinct, static_cast<std::ptrdiff_t>(inputs_max / 4)) << "the hash sees what is answered";
}

INSTANTIATE_TEST_SUITE_P(Xenstore, FuzzTarget, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace xenrig::fuzz
