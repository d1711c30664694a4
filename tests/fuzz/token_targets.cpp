// The targets with tokens as a fuzzer runs them, and an end of the process with the input's token when a rule is
// broken.
//
// XENRIG_FUZZ_SUBJECT in the environment names the library of a subject that is attacked in the place of our driver: it
// reaches a fuzzer's processes of every kind.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "sim/engine/token_text.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/target_player.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

namespace {

std::string subject_path() {
    const char* const path = std::getenv("XENRIG_FUZZ_SUBJECT");
    return path ? path : "";
}

void tell_and_end(const TargetPlayer& player, const PlayReport& report, std::span<const std::byte> input) {
    for (const engine::Problem& p : report.problems)
        std::fprintf(stderr, "%s (step %llu): %s\n", p.oracle.c_str(), static_cast<unsigned long long>(p.step),
                     p.text.c_str());
    const std::string subject = player.target().takes_subject() ? subject_path() : "";
    std::fprintf(stderr, "replay: xenrig replay %s%s%s\n", engine::show_token(player.token_of(input)).c_str(),
                 subject.empty() ? "" : " --subject ", subject.c_str());
    check(false, "a hostile peer breaks no rule");
}

std::unique_ptr<TargetPlayer> make_player(const BlkTarget& target) {
    auto player = TargetPlayer::make(target, target.takes_subject() ? subject_path() : "");
    if (!player) {
        std::fprintf(stderr, "xenrig: %s\n", player.error().message.c_str());
        // libFuzzer takes an exit in order for a crash.
        std::_Exit(2);
    }
    if (const std::string& why = (*player)->why_anew(); !why.empty())
        std::fprintf(stderr, "xenrig: %s: every input gets a world of its own, which is slow\n", why.c_str());
    return std::move(*player);
}

/// Never destroyed at the process's end: what it puts back is memory of others, too.
TargetPlayer& player_of(const BlkTarget& target) {
    static std::unique_ptr<TargetPlayer>& player = *new std::unique_ptr<TargetPlayer>;
    if (player && &player->target() == &target) return *player;
    player.reset();
    player = make_player(target);
    return *player;
}

std::uint64_t play(const char* name, std::span<const std::byte> input) {
    TargetPlayer& player = player_of(*find_blk_target(name));
    const PlayReport report = player.run(input);
    if (!report.ok()) tell_and_end(player, report, input);
    totals().steps += report.steps;
    totals().accesses += report.accesses;
    return report.hash;
}

}  // namespace

std::uint64_t blkback(std::span<const std::byte> input) { return play("blkback", input); }
std::uint64_t blkfront(std::span<const std::byte> input) { return play("blkfront", input); }
std::uint64_t hypercall(std::span<const std::byte> input) { return play("hypercall", input); }

}  // namespace xenrig::fuzz
