#include "tests/fuzz/check_reset.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/fuzz/inputs.h"
#include "tests/fuzz/mutations.h"

namespace xenrig::fuzz {

namespace {

std::vector<std::size_t> second_order(Mutations& choices, std::size_t n, bool shuffled) {
    std::vector<std::size_t> order(n);
    std::iota(order.rbegin(), order.rend(), std::size_t{0});
    for (std::size_t i = n; shuffled && i > 1; --i) {
        const std::size_t other = choices.below(i);
        std::swap(order[i - 1], order[other]);
    }
    return order;
}

}  // namespace

ResetVerdict check_reset(const Target& target, const std::string& seeds, std::size_t inputs, bool shuffled,
                         bool progress) {
    constexpr std::size_t kEvery = 1000;
    const auto tell = [&](const char* order, std::size_t done) {
        if (progress && done % kEvery == 0) std::fprintf(stderr, "%s order: %zu of %zu\n", order, done, inputs);
    };
    const auto run = [&target](const std::string& input) { return target.run(std::as_bytes(std::span(input))); };

    Mutations mutations(read_inputs(seeds));
    std::vector<std::string> all(inputs);
    std::ranges::generate(all, [&] { return mutations.next(); });
    std::vector<std::uint64_t> hashes(inputs);
    for (std::size_t i = 0; i < inputs; ++i) {
        hashes[i] = run(all[i]);
        tell("first", i + 1);
    }
    ResetVerdict verdict{.inputs = inputs};
    std::size_t done = 0;
    for (const std::size_t i : second_order(mutations, inputs, shuffled)) {
        if (run(all[i]) != hashes[i] && verdict.different++ == 0) verdict.first_different = i;
        tell("second", ++done);
    }
    std::ranges::sort(hashes);
    verdict.distinct = static_cast<std::size_t>(std::ranges::unique(hashes).begin() - hashes.begin());
    return verdict;
}

int check_reset_command(const Target& target, std::size_t inputs) {
    const std::string seeds = XENRIG_SOURCE_DIR "/fixtures/fuzz/" + std::string(target.name);
    const ResetVerdict v = check_reset(target, seeds, inputs, /*shuffled=*/true, /*progress=*/true);
    std::printf("%s: %zu inputs in two orders, %zu different hashes, %zu played differently\n",
                std::string(target.name).c_str(), v.inputs, v.distinct, v.different);
    if (v.different != 0) std::printf("  the first is input %zu\n", v.first_different);
    return v.different == 0 ? 0 : 1;
}

}  // namespace xenrig::fuzz
