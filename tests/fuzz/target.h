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
};

std::uint64_t xenstore_wire(std::span<const std::byte> input);
std::uint64_t xenstore_ring(std::span<const std::byte> input);

std::span<const Target> targets();
/// Null when there is none of that name.
const Target* find_target(std::string_view name);

}  // namespace xenrig::fuzz
