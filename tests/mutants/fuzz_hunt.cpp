// Hunts the bug of one mutant with the named seeds of a fuzz target, and then with what a short run makes of them:
// always the same inputs (mutations.h).
//
//   mutant_NAME fuzz-TARGET MODEL RULES    RULES: those that may catch it, "a|b"; "crash" is the end of the process
//
// Each input is played in a process of its own. Exit 0: one of the rules caught it, and a second run catches it again.
// Exit 1: another rule did, or none.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/fuzz/blk_target.h"
#include "tests/fuzz/blk_seeds.h"
#include "tests/fuzz/hypercall_seeds.h"
#include "tests/fuzz/mutations.h"

namespace {

using namespace xenrig::fuzz;

struct NamedInput {
    std::string name, bytes;
};

template <class Seed>
std::vector<NamedInput> named(const std::vector<Seed>& seeds) {
    std::vector<NamedInput> inputs;
    inputs.reserve(seeds.size());
    for (const Seed& seed : seeds) inputs.push_back({seed.name, seed.input});
    return inputs;
}

std::vector<NamedInput> seeds_of(const BlkTarget& target) {
    if (target.name == "hypercall") return named(hypercall_seeds());
    return named(target.name == "blkback" ? blkback_seeds() : blkfront_seeds());
}

/// The rule that this input breaks; empty when all is well.
std::string rule_broken_by(const BlkTarget& target, const std::string& input) {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        const PlayReport report = target.make()->run(std::as_bytes(std::span(input)));
        const std::string rule = report.ok() ? "" : report.problems.front().oracle;
        _exit(write(ends[1], rule.data(), rule.size()) == static_cast<ssize_t>(rule.size()) ? 0 : 1);
    }
    close(ends[1]);
    char text[64];
    const ssize_t n = read(ends[0], text, sizeof text);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) return "crash";
    return {text, static_cast<std::size_t>(n > 0 ? n : 0)};
}

bool listed(const std::string& rules, const std::string& rule) {
    return ("|" + rules + "|").find("|" + rule + "|") != std::string::npos;
}

/// Nothing when the input breaks no rule; else whether that was one of the rules, and is so again.
std::optional<bool> caught_by(const BlkTarget& target, const NamedInput& input, const std::string& rules) {
    const std::string rule = rule_broken_by(target, input.bytes);
    if (rule.empty()) return std::nullopt;
    std::printf("%s: %s\n%s\n", input.name.c_str(), rule.c_str(),
                token_of(target, std::as_bytes(std::span(input.bytes))).c_str());
    if (listed(rules, rule)) return rule_broken_by(target, input.bytes) == rule;
    std::printf("caught, but not by one of %s\n", rules.c_str());
    return false;
}

int hunt(const BlkTarget& target, const std::string& rules) {
    constexpr unsigned kRuns = 2000;
    const std::vector<NamedInput> seeds = seeds_of(target);
    std::vector<std::string> pool;
    for (const NamedInput& seed : seeds) {
        if (const auto caught = caught_by(target, seed, rules)) return *caught ? 0 : 1;
        pool.push_back(seed.bytes);
    }
    Mutations mutations(std::move(pool));
    for (unsigned i = 0; i < kRuns; ++i)
        if (const auto caught = caught_by(target, {"run " + std::to_string(i), mutations.next()}, rules))
            return *caught ? 0 : 1;
    std::printf("not caught by %zu seeds, nor by %u inputs made of them\n", seeds.size(), kRuns);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string name = argc == 4 ? argv[1] : "";
    const BlkTarget* target = name.starts_with("fuzz-") ? find_blk_target(name.substr(5)) : nullptr;
    if (!target) {
        std::fprintf(stderr, "usage: %s fuzz-TARGET MODEL RULE|RULE...\n", argv[0]);
        return 2;
    }
    return hunt(*target, argv[3]);
}
