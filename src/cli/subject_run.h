// Runs with somebody's library in them, in a process of their own: a crash in the library, or a loop of its that never
// ends, is a failure of the run, with the token that leads there again. The others go on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "commands.h"

namespace xenrig::cli {

/// What came of a run, or of several.
struct Tally {
    int outcome = kWell;
    std::uint64_t in_flight = 0, migrations = 0, faults = 0, hurt = 0;
};

struct SubjectRuns {
    /// Where the body runs: false for our own drivers, and under a debugger.
    bool apart = false;
    /// Of processor time, for one run.
    unsigned seconds_max = 60;
    /// What follows the token on the command line of a replay.
    std::string again = {};
    /// Before whatever is said of this run.
    std::string heading = {};
    /// Of several runs enough has been said.
    bool quiet = false;
};

/// body(), in a child where they are apart. A child that dies is kFoundWrong, and has said why and where.
Tally run_subject(const SubjectRuns& how, const std::function<Tally()>& body);

/// Another run begins in the body.
void next_subject_run(const SubjectRuns& how);

}  // namespace xenrig::cli
