// libFuzzer's entry: XENRIG_FUZZ_TARGET names the target of this program.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/target.h"
#include "xenrig/abi/check.h"

namespace {

/// As libFuzzer's own -print_final_stats.
void print_totals() {
    const xenrig::fuzz::Totals& t = xenrig::fuzz::totals();
    if (t.runs == 0) return;
    std::fprintf(stderr, "stat::door_accesses:            %llu\n", static_cast<unsigned long long>(t.accesses));
}

}  // namespace

#if defined(XENRIG_FUZZ_RESETS)
/// A world whose memory is put back keeps its stack frames on its stacks, and its heap is not the one leaks are looked
/// for in.
extern "C" const char* __asan_default_options() { return "detect_stack_use_after_return=0:detect_leaks=0"; }
#endif

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    std::atexit(print_totals);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const xenrig::fuzz::Target* const target = xenrig::fuzz::find_target(XENRIG_FUZZ_TARGET);
    xenrig::check(target != nullptr, "the program's target is one of the list");
    ++xenrig::fuzz::totals().runs;
    (void)target->run(std::as_bytes(std::span(data, size)));
    return 0;
}
