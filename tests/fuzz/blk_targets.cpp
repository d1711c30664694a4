// The block targets as a fuzzer runs them: a world that is put back after each input, and an end of the process with
// the input's token when a rule is broken.
#include <cstdio>
#include <memory>

#include "sim/engine/token_text.h"
#include "sim/fuzz/reset/reset_play.h"
#include "tests/fuzz/target.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

namespace {

void tell_and_end(const BlkTarget& target, const PlayReport& report, std::span<const std::byte> input) {
    for (const engine::Problem& p : report.problems)
        std::fprintf(stderr, "%s (step %llu): %s\n", p.oracle.c_str(), static_cast<unsigned long long>(p.step),
                     p.text.c_str());
    std::fprintf(stderr, "replay: xenrig replay %s\n", engine::show_token(token_of(target, input)).c_str());
    check(false, "a hostile peer breaks no rule");
}

std::uint64_t play(const char* name, std::span<const std::byte> input) {
    static const BlkTarget& target = *find_blk_target(name);
    // Never destroyed: its memory is the process's.
    static ResetPlay* const world = ResetPlay::possible() ? new ResetPlay(target) : nullptr;
    const PlayReport report = world ? world->run(input) : target.make()->run(input);
    if (!report.ok()) tell_and_end(target, report, input);
    totals().accesses += report.accesses;
    return report.hash;
}

}  // namespace

std::uint64_t blkback(std::span<const std::byte> input) { return play("blkback", input); }
std::uint64_t blkfront(std::span<const std::byte> input) { return play("blkfront", input); }

}  // namespace xenrig::fuzz
