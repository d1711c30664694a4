// The target `hypercall` as a fuzzer runs it: a world for each input, and an end of the process with the input's token
// when a rule is broken.
#include <cstdio>

#include "sim/engine/token_text.h"
#include "sim/fuzz/blk_target.h"
#include "tests/fuzz/target.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

std::uint64_t hypercall(std::span<const std::byte> input) {
    static const BlkTarget& target = *find_blk_target("hypercall");
    const PlayReport report = target.make(nullptr)->run(input);
    if (report.ok()) return report.hash;
    for (const engine::Problem& p : report.problems)
        std::fprintf(stderr, "%s (hypercall %llu): %s\n", p.oracle.c_str(), static_cast<unsigned long long>(p.step),
                     p.text.c_str());
    std::fprintf(stderr, "replay: xenrig replay %s\n", engine::show_token(token_of(target, input)).c_str());
    check_failed("a hostile domain breaks no rule", std::source_location::current());
}

}  // namespace xenrig::fuzz
