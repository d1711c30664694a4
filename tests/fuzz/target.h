// Fuzz targets: each takes any bytes, plays them as a peer, and checks what must hold whatever the peer does.
//
// The same entry serves libFuzzer (libfuzzer.cpp), the seeds that every build replays (seeds_test.cpp) and a debugger.
// A rule that does not hold ends the process (abi/check.h): that is what a fuzzer looks for. Named seeds, and inputs
// that once broke something, lie in fixtures/fuzz/NAME. A new target is a function here, a line in targets() and one in
// CMake.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace xenrig::fuzz {

/// The hash of all that the peers were answered: a function of the input alone.
using Run = std::uint64_t (*)(std::span<const std::byte> input);

struct Target {
    std::string_view name;
    Run run;
    /// Of the test that runs are functions of their inputs: fewer where a run takes long.
    std::size_t inputs_in_test = 10'000;
    /// It plays in a world that is put back (sim/fuzz/reset).
    bool resets = false;
};

std::uint64_t xenstore_wire(std::span<const std::byte> input);
std::uint64_t xenstore_ring(std::span<const std::byte> input);

std::uint64_t blkback(std::span<const std::byte> input);
std::uint64_t blkfront(std::span<const std::byte> input);

std::uint64_t hypercall(std::span<const std::byte> input);

/// What runs of this process have cost, for who reports it.
struct Totals {
    std::uint64_t runs = 0;
    /// Of the engine, or hypercalls where there is none; where the target counts them.
    std::uint64_t steps = 0;
    /// Shared accesses through the door, where the target counts them.
    std::uint64_t accesses = 0;
};
Totals& totals();

std::span<const Target> targets();
/// Null when there is none of that name.
const Target* find_target(std::string_view name);

}  // namespace xenrig::fuzz
