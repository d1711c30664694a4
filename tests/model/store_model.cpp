// Random conversations against the plain model, as many as you like: store_model [--seeds N] [--first-seed S].
//
// Exit 0: no difference. Exit 1: one, made small, on stdout. With --hunt it is the other way round: for mutants, where
// a difference of at most --steps-max steps must be found.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/model/campaign.h"

namespace {

using namespace xenrig::model;

struct Arguments {
    std::uint64_t seeds = 1000, first = 0;
    std::size_t steps_max = 12;
    bool hunt = false;
};

bool parse(int argc, char** argv, Arguments& out) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--hunt") {
            out.hunt = true;
            continue;
        }
        if (++i == argc) return false;
        const std::uint64_t value = std::strtoull(argv[i], nullptr, 10);
        if (option == "--seeds")
            out.seeds = value;
        else if (option == "--first-seed")
            out.first = value;
        else if (option == "--steps-max")
            out.steps_max = value;
        else
            return false;
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    if (!parse(argc, argv, arguments)) {
        std::fprintf(stderr, "usage: %s [--seeds N] [--first-seed S] [--hunt] [--steps-max N]\n", argv[0]);
        return 2;
    }
    for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.seeds; ++seed) {
        const auto found = try_seed(seed, {});
        if (!found) continue;
        std::fputs(found->text.c_str(), stdout);
        if (!arguments.hunt) return 1;
        const std::size_t steps = found->smallest.size();
        const std::uint64_t played = seed - arguments.first + 1;
        std::printf("found after %s conversations, in %zu steps\n", std::to_string(played).c_str(), steps);
        return steps <= arguments.steps_max ? 0 : 1;
    }
    std::printf("%llu conversations, no difference\n", static_cast<unsigned long long>(arguments.seeds));
    return arguments.hunt ? 1 : 0;
}
