// A run of a libFuzzer program: started, listened to, and summed up.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "xenrig/abi/error.h"

namespace xenrig::cli {

struct FuzzRun {
    std::uint64_t executions = 0, executions_per_s = 0;
    /// Edges of the target's code that were reached, and what else libFuzzer tells inputs apart by.
    std::uint64_t edges = 0, features = 0;
    /// Shared accesses through the door, of all executions; 0 where the target does not count them.
    std::uint64_t door_accesses = 0;
    /// Files with inputs that broke a rule.
    std::vector<std::string> found;
    int exit_code = 0;
};

/// Runs it to its end, and it ends when this process does. `line` hears each line that it writes to stderr. ENOENT when
/// it can't be started.
Result<FuzzRun> run_fuzzer(const std::vector<std::string>& command,
                           const std::function<void(const std::string&)>& line);

}  // namespace xenrig::cli
