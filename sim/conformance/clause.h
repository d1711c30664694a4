// The row of a table of checks, and what makes checks of a table.
#pragma once

#include <span>
#include <vector>

#include "sim/conformance/checks.h"
#include "sim/conformance/stage.h"

namespace xenrig::conformance {

/// How often a script is played: once with the mildest choices, and once for each seed with each model.
struct Runs {
    unsigned seeds = 0;
    std::vector<engine::Model> models = {engine::Model::sc};
    std::vector<DiskShape> disks = {DiskShape()};
    /// Seeds whose stores are late, for clauses that ask for a barrier.
    unsigned late_seeds = 0;
};

struct Clause {
    const char* id;
    unsigned line;
    Role subject;
    const char* words;
    /// Each has a stage of its own.
    std::vector<void (*)(Stage&)> scripts;
    Runs runs = {};
};

/// Checks of these clauses against these subjects, as far as they have the roles.
std::vector<Check> checks_of(const char* header, std::span<const Clause> clauses, const Subjects& subjects,
                             Effort effort);

}  // namespace xenrig::conformance
