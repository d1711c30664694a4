// Hunts the bug of one mutant: runs a scenario from seed to seed until a rule is broken.
//
//   mutant_NAME SCENARIO MODEL RULES    MODEL: sc, tso, relaxed or any; RULES: those that may catch it, "a|b"
//
// Exit 0: one of the rules caught it, and the token of that run catches it again. Exit 1: another rule did, or none.
#include <cstdio>
#include <string>

#include "xenrig/world/run.h"

namespace {

using namespace xenrig::world;

constexpr std::uint64_t kSeedsMax = 1000;

bool listed(const std::string& rules, const std::string& rule) {
    return ("|" + rules + "|").find("|" + rule + "|") != std::string::npos;
}

int hunt(const Scenario& scenario, const std::string& model, const std::string& rules) {
    for (std::uint64_t seed = 0; seed < kSeedsMax; ++seed) {
        const RunReport found =
            run(scenario, {.seed = seed, .model = model == "any" ? "" : model, .steps_max = 1'000'000});
        if (found.ok()) continue;
        const Problem& problem = found.problems.front();
        std::printf("seed %llu, model %s: %s: %s\n", static_cast<unsigned long long>(seed), found.model.c_str(),
                    problem.rule.c_str(), problem.text.c_str());
        if (!listed(rules, problem.rule)) {
            std::printf("caught, but not by one of %s\n", rules.c_str());
            return 1;
        }
        const auto again = replay(scenario, found.token);
        if (!again || again->hash != found.hash || again->ok()) {
            std::printf("the token does not replay the run\n");
            return 1;
        }
        const std::uint64_t runs = seed + 1;
        std::printf("caught after %s runs, and replayed\n", std::to_string(runs).c_str());
        return 0;
    }
    std::printf("not caught by %llu seeds\n", static_cast<unsigned long long>(kSeedsMax));
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: %s SCENARIO MODEL RULE|RULE...\n", argv[0]);
        return 2;
    }
    const auto scenario = load_scenario(std::string(XENRIG_SOURCE_DIR "/fixtures/scenarios/") + argv[1] + ".toml");
    if (!scenario) {
        std::fprintf(stderr, "%s\n", scenario.error().message.c_str());
        return 2;
    }
    return hunt(*scenario, argv[2], argv[3]);
}
