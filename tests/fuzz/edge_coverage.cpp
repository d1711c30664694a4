// Which edges of the attacked code inputs reach: plays them, and writes a line for each edge that there is, with its
// place in this program and 1 when it was reached. tests/fuzz/coverage.sh makes a table of it.
//
//   edge_coverage TARGET FOLDER...
//
// The counters are libFuzzer's (-fsanitize-coverage=inline-8bit-counters,pc-table), and here they are ours.
#include <link.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "tests/fuzz/mutations.h"
#include "tests/fuzz/target.h"

namespace {

struct Edge {
    std::uintptr_t place, flags;
};
std::span<std::uint8_t> counters;
std::span<const Edge> edges;

std::uintptr_t base_of_program() {
    std::uintptr_t base = 0;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* out) {
            *static_cast<std::uintptr_t*>(out) = info->dlpi_addr;
            return 1;
        },
        &base);
    return base;
}

}  // namespace

// Called once for each file, always with all of the program's.
extern "C" void __sanitizer_cov_8bit_counters_init(std::uint8_t* begin, std::uint8_t* end) { counters = {begin, end}; }
extern "C" void __sanitizer_cov_pcs_init(const std::uintptr_t* begin, const std::uintptr_t* end) {
    edges = {reinterpret_cast<const Edge*>(begin), reinterpret_cast<const Edge*>(end)};
}

extern "C" const char* __asan_default_options() { return "detect_stack_use_after_return=0:detect_leaks=0"; }

int main(int argc, char** argv) {
    const xenrig::fuzz::Target* const target = argc > 2 ? xenrig::fuzz::find_target(argv[1]) : nullptr;
    if (!target) {
        std::fprintf(stderr, "usage: %s TARGET FOLDER...\n", argv[0]);
        return 2;
    }
    // What setting the world up reaches counts for nothing.
    (void)target->run({});
    std::vector<bool> reached(edges.size());
    std::size_t inputs = 0;
    for (int i = 2; i < argc; ++i)
        for (const std::string& input : xenrig::fuzz::read_inputs(argv[i])) {
            // A counter that came round to 0 would have counted nothing.
            std::ranges::fill(counters, std::uint8_t{0});
            (void)target->run(std::as_bytes(std::span(input)));
            for (std::size_t e = 0; e < counters.size(); ++e) reached[e] = reached[e] || counters[e] != 0;
            ++inputs;
        }
    std::fprintf(stderr, "%s: %zu inputs\n", argv[1], inputs);
    const std::uintptr_t base = base_of_program();
    for (std::size_t i = 0; i < edges.size(); ++i)
        std::printf("0x%zx %d\n", static_cast<std::size_t>(edges[i].place - base), reached[i] ? 1 : 0);
    return 0;
}
