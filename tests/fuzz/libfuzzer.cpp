// libFuzzer's entry: XENRIG_FUZZ_TARGET names the target of this program.
//
// --check-reset=N instead plays N inputs in two orders (check_reset.h); libFuzzer itself looks at nothing that begins
// with two hyphens.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/check_reset.h"
#include "tests/fuzz/target.h"
#include "xenrig/abi/check.h"

namespace {

const xenrig::fuzz::Target& target() {
    static const xenrig::fuzz::Target* const found = xenrig::fuzz::find_target(XENRIG_FUZZ_TARGET);
    xenrig::check(found != nullptr, "the program's target is one of the list");
    return *found;
}

/// As libFuzzer's own -print_final_stats.
void print_totals() {
    const xenrig::fuzz::Totals& t = xenrig::fuzz::totals();
    if (t.runs == 0) return;
    std::fprintf(stderr, "stat::steps:                    %llu\n", static_cast<unsigned long long>(t.steps));
    std::fprintf(stderr, "stat::door_accesses:            %llu\n", static_cast<unsigned long long>(t.accesses));
}

}  // namespace

#if defined(XENRIG_FUZZ_RESETS)
/// A world whose memory is put back keeps its stack frames on its stacks, and its heap is not the one leaks are looked
/// for in.
extern "C" const char* __asan_default_options() { return "detect_stack_use_after_return=0:detect_leaks=0"; }
#endif

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    constexpr std::string_view kCheckReset = "--check-reset=";
    for (int i = 1; i < *argc; ++i)
        if (std::string_view((*argv)[i]).starts_with(kCheckReset))
            std::exit(xenrig::fuzz::check_reset_command(target(),
                                                        std::strtoul((*argv)[i] + kCheckReset.size(), nullptr, 10)));
    std::atexit(print_totals);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ++xenrig::fuzz::totals().runs;
    (void)target().run(std::as_bytes(std::span(data, size)));
    return 0;
}
