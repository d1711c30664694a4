// Random conversations against the plain model, as many as you like: store_model [--seeds N] [--first-seed S].
//
// Exit 0: no difference. Exit 1: one, made small, on stdout. With --hunt it is the other way round: for mutants, where
// a difference of at most --steps-max steps must be found.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <string>

#include "tests/model/campaign.h"

int main(int argc, char** argv) {
    using namespace xenrig::model;
    std::uint64_t seeds = 1000, first_seed = 0;
    std::size_t steps_max = 12;
    bool hunt = false;
    CLI::App app{"Random conversations with the store, against the plain model."};
    app.add_option("--seeds", seeds, "how many");
    app.add_option("--first-seed", first_seed, "the first one's seed");
    app.add_flag("--hunt", hunt, "a difference must be found");
    app.add_option("--steps-max", steps_max, "and made as small as this");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
        const auto found = try_seed(seed, {});
        if (!found) continue;
        std::fputs(found->text.c_str(), stdout);
        if (!hunt) return 1;
        const std::size_t steps = found->smallest.size();
        const std::uint64_t played = seed - first_seed + 1;
        std::printf("found after %s conversations, in %zu steps\n", std::to_string(played).c_str(), steps);
        return steps <= steps_max ? 0 : 1;
    }
    std::printf("%llu conversations, no difference\n", static_cast<unsigned long long>(seeds));
    return hunt ? 1 : 0;
}
