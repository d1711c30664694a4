// How `xenrig run` tells the result of a scenario with a [locking]: a table and what follows from it, JSON, a plot.
#pragma once

#include <cstdint>
#include <string>

#include "xenrig/world/locking.h"

namespace xenrig::cli {

struct LockingArguments {
    std::uint64_t first_seed = 0;
    bool json = false;
    /// Where the plot goes; empty: nowhere.
    std::string plot;
};

/// Runs it, tells, and gives the command's exit code.
int run_locking_scenario(const world::Scenario& scenario, const LockingArguments& arguments);

}  // namespace xenrig::cli
