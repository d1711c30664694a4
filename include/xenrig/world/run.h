// Runs a scenario and says what came of it: from a seed, from a token, or at each choice point in turn.
//
// The same scenario, options and choices give the same trace hash, on any machine and compiler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "xenrig/world/scenario.h"

namespace xenrig::world {

struct Subjects;

struct RunOptions {
    /// None: every choice is the mildest.
    std::optional<std::uint64_t> seed;
    /// "sc", "tso" or "relaxed"; empty: drawn from the seed, sc without one.
    std::string model;
    /// The first migration's guest is asked to suspend at this choice point, whatever the scenario says.
    std::optional<std::uint64_t> migrate_at;
    /// The scenario's migrations do not take place.
    bool no_migration = false;
    /// Somebody's drivers in the place of ours, as far as they have the roles. See suits().
    std::shared_ptr<const Subjects> subjects;
    /// Hears every line of the trace.
    std::function<void(const std::string&)> trace;
    /// Given each image that a migration saves, whole: docs/image.md.
    std::function<void(std::span<const std::byte>)> saved;
    /// A run with more steps than this is a livelock.
    std::uint64_t steps_max = 5'000'000;
};

struct Problem {
    /// A short name that stays: "data", "quiet-with-work", "double-fetch".
    std::string rule;
    std::string text;
    std::uint64_t step = 0;
};

struct RunReport {
    std::vector<Problem> problems;
    /// The world's last records before the problem, oldest first.
    std::vector<std::string> trace_tail;
    std::uint64_t hash = 0;
    /// What the disks hold and how many operations were done: equal for every place of a migration.
    std::uint64_t end_state = 0;
    /// Choice points of the part in which guests boot, work and move: the range of `migrate_at`.
    std::uint64_t points = 0;
    std::uint64_t steps = 0, choices = 0, picks = 0, switches = 0, upcalls = 0;
    std::uint64_t hypercalls = 0, grant_copies = 0, grant_maps = 0, events_sent = 0, store_messages = 0;
    unsigned operations = 0, migrations = 0;
    /// Faults that struck; operations that failed of one, that were begun again on another device, and that died with
    /// their guest.
    unsigned faults = 0, failed_operations = 0, repeated_operations = 0, lost_operations = 0;
    /// Disks that were resized, or taken and given back.
    unsigned changes = 0;
    /// Requests that the guest had under way when a suspend found it, over all suspends.
    unsigned in_flight_at_suspend = 0;
    /// "sc", "tso", "relaxed".
    std::string model;
    /// Replays this run.
    std::string token;

    bool ok() const { return problems.empty(); }
};

RunReport run(const Scenario& scenario, const RunOptions& options);

struct UnderWay {
    /// Leads to where the run is now, and beyond.
    std::string token;
    std::uint64_t step = 0;
    /// "the task 'blkfront' of web.v0"
    std::string task;
};

/// The run that is under way in this process: for whoever catches the crash of a subject in the middle of it. Nothing
/// when there is none.
std::optional<UnderWay> run_under_way();

/// EINVAL when the scenario asks for what the subjects can't do: a frontend without suspend and resume that is to move,
/// a disk that is to be changed under it.
Result<> suits(const Scenario& scenario, const Subjects& subjects);

/// EINVAL when the token is damaged, is another scenario's or version's, or was made with other roles for subjects.
Result<RunReport> replay(const Scenario& scenario, const std::string& token,
                         std::shared_ptr<const Subjects> subjects = nullptr);

/// The scenario's name in a token, to find its file by. EINVAL when it is none.
Result<std::string> scenario_of(const std::string& token);

struct EveryReport {
    std::uint64_t points = 0;       ///< choice points of the run without a migration
    std::uint64_t runs = 0;         ///< of which so many were tried
    std::vector<RunReport> failed;  ///< at most ten
    std::uint64_t failures = 0;
    unsigned in_flight_at_suspend = 0;
};

/// One run for each choice point, or for `runs_max` of them in equal strata, each of which must end in the same state.
/// `progress` is told of runs done and to be done.
EveryReport migrate_everywhere(const Scenario& scenario, const RunOptions& options, std::uint64_t runs_max,
                               const std::function<void(std::uint64_t, std::uint64_t)>& progress);

}  // namespace xenrig::world
