// Hunts the bug of one mutant with the named seeds of a fuzz target.
//
//   mutant_NAME fuzz-blkback MODEL RULES    RULES: those that may catch it, "a|b"; "crash" is the end of the process
//
// Each seed is played in a process of its own. Exit 0: one of the rules caught it, and a second run catches it again.
// Exit 1: another rule did, or none.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "sim/fuzz/blk_target.h"
#include "tests/fuzz/blk_seeds.h"

namespace {

using namespace xenrig::fuzz;

/// The rule that this seed breaks; empty when all is well.
std::string rule_broken_by(const BlkTarget& target, const BlkSeed& seed) {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        const PlayReport report = target.make()->run(std::as_bytes(std::span(seed.input)));
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

int hunt(const BlkTarget& target, const std::vector<BlkSeed>& seeds, const std::string& rules) {
    for (const BlkSeed& seed : seeds) {
        const std::string rule = rule_broken_by(target, seed);
        if (rule.empty()) continue;
        std::printf("%s: %s\n%s\n", seed.name.c_str(), rule.c_str(),
                    token_of(target, std::as_bytes(std::span(seed.input))).c_str());
        if (!listed(rules, rule)) {
            std::printf("caught, but not by one of %s\n", rules.c_str());
            return 1;
        }
        return rule_broken_by(target, seed) == rule ? 0 : 1;
    }
    std::printf("not caught by %zu seeds\n", seeds.size());
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
    return hunt(*target, target->name == "blkback" ? blkback_seeds() : blkfront_seeds(), argv[3]);
}
