// xenrig run and xenrig replay.
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "commands.h"
#include "locking_report.h"
#include "progress.h"
#include "run_report.h"
#include "sim/engine/token_text.h"
#include "sim/fuzz/blk_target.h"
#include "sim/image/file.h"
#include "subject_run.h"
#include "xenrig/world/run.h"
#include "xenrig/world/subject.h"

namespace xenrig::cli {

namespace {

namespace fs = std::filesystem;

/// Where an installation has them, or the source tree that this was built from.
fs::path scenario_folder() {
    std::error_code error;
    const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
    const fs::path installed = here / "../share/xenrig/scenarios";
    return fs::is_directory(installed, error) ? installed : fs::path(XENRIG_SCENARIOS);
}

std::string known_scenarios() {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(scenario_folder(), ignored))
        if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    std::string text;
    for (const std::string& n : names) text += (text.empty() ? "" : ", ") + n;
    return text;
}

/// A file, or the name of one that comes with xenrig.
Result<world::Scenario> find_scenario(const std::string& name) {
    if (fs::exists(name)) return world::load_scenario(name);
    const fs::path known = scenario_folder() / (name + ".toml");
    if (fs::exists(known)) return world::load_scenario(known.string());
    return fail(Errno::noent, "there is no scenario '" + name + "': give a .toml file, or one of " + known_scenarios());
}

/// Null for an empty path.
Result<std::shared_ptr<const world::Subjects>> find_subject(const std::string& path, const world::Scenario& scenario) {
    if (path.empty()) return nullptr;
    auto loaded = world::load_subject(path);
    if (!loaded) return std::unexpected(loaded.error());
    if (auto good = world::suits(scenario, *loaded); !good) return std::unexpected(good.error());
    return std::make_shared<const world::Subjects>(std::move(*loaded));
}

struct RunArguments {
    std::string scenario, subject, migrate_at, model, trace_to, save_image, plot;
    std::optional<std::uint64_t> seed;
    std::uint64_t seeds = 0, first_seed = 0, runs_max = 20'000;
    bool trace = false, in_process = false, json = false;
    /// An option was given that an experiment has no use for.
    bool of_a_run = false;
    unsigned run_seconds = 60;
};

/// A scenario with a [locking] is an experiment, and what is asked of a run does not fit it.
int run_experiment(const world::Scenario& scenario, const RunArguments& a) {
    if (a.of_a_run)
        return complain("scenario '" + scenario.name +
                        "' has a [locking], which says itself what is run: only --seed, --json and --plot go with it");
    return run_locking_scenario(scenario, {.first_seed = a.seed.value_or(0), .json = a.json, .plot = a.plot});
}

template <class Arguments>
SubjectRuns subject_runs(const Arguments& a) {
    return {.apart = !a.subject.empty() && !a.in_process,
            .seconds_max = a.run_seconds,
            .again = replay_arguments(a.scenario, a.subject)};
}

/// Of one seed; says what is wrong unless that was said of enough others.
Tally run_seed(const world::Scenario& scenario, const RunArguments& a, const world::RunOptions& options,
               const SubjectRuns& how) {
    const world::RunReport r = world::run(scenario, options);
    if (!r.ok() && !how.quiet) {
        std::printf("%s", how.heading.c_str());
        (void)tell(r, a.trace, how.again);
    }
    return {r.ok() ? kWell : kFoundWrong, r.in_flight_at_suspend, r.migrations, r.faults,
            r.failed_operations + r.repeated_operations + r.lost_operations};
}

int run_seeds(const world::Scenario& scenario, const RunArguments& a, world::RunOptions options) {
    Progress progress{"seed"};
    constexpr std::uint64_t kTold = 5;
    std::uint64_t failed = 0, in_flight = 0, migrations = 0, faults = 0, hurt = 0;
    SubjectRuns how = subject_runs(a);
    for (std::uint64_t i = 0; i < a.seeds; ++i) {
        options.seed = a.first_seed + i;
        how.quiet = failed >= kTold;
        how.heading = "seed " + std::to_string(*options.seed) + ":\n";
        const Tally t = run_subject(how, [&] { return run_seed(scenario, a, options, how); });
        if (t.outcome == kCouldNot) return kCouldNot;
        in_flight += t.in_flight;
        migrations += t.migrations;
        faults += t.faults;
        hurt += t.hurt;
        progress(i + 1, a.seeds);
        if (t.outcome != kWell) ++failed;
    }
    std::printf("%llu seeds of %s: %llu well, %llu failed; %llu migrations, %llu requests in flight at a suspend\n",
                static_cast<unsigned long long>(a.seeds), scenario.name.c_str(),
                static_cast<unsigned long long>(a.seeds - failed), static_cast<unsigned long long>(failed),
                static_cast<unsigned long long>(migrations), static_cast<unsigned long long>(in_flight));
    if (faults != 0)
        std::printf("%llu faults struck %llu operations under way\n", static_cast<unsigned long long>(faults),
                    static_cast<unsigned long long>(hurt));
    if (failed == 0 && a.seeds >= 100 && !scenario.faults.empty() && hurt == 0) {
        std::printf("no fault ever struck an operation: the campaign has not tested what it is for\n");
        return kFoundWrong;
    }
    if (failed == 0 && a.seeds >= 100 && migrations != 0 && in_flight == 0) {
        std::printf("no suspend ever found a request in flight: the campaign has not tested what it is for\n");
        return kFoundWrong;
    }
    return failed == 0 ? kWell : kFoundWrong;
}

int run_everywhere(const world::Scenario& scenario, const RunArguments& a, const world::RunOptions& options) {
    const SubjectRuns how = subject_runs(a);
    return run_subject(
               how,
               [&]() -> Tally {
                   Progress progress{"choice point"};
                   const world::EveryReport every =
                       world::migrate_everywhere(scenario, options, a.runs_max, [&](std::uint64_t d, std::uint64_t n) {
                           progress(d, n);
                           next_subject_run(how);
                       });
                   for (const world::RunReport& r : every.failed) (void)tell(r, a.trace, how.again);
                   std::printf(
                       "%s migrated at %llu of %llu choice points: %llu failed; %u requests in flight at a suspend\n",
                       scenario.name.c_str(), static_cast<unsigned long long>(every.runs),
                       static_cast<unsigned long long>(every.points), static_cast<unsigned long long>(every.failures),
                       every.in_flight_at_suspend);
                   return {.outcome = every.failures == 0 ? kWell : kFoundWrong};
               })
        .outcome;
}

int save_image(const std::string& path, std::span<const std::byte> bytes) {
    auto file = image::File::create(path);
    if (!file) return complain(file.error().message);
    file->write(bytes);
    if (auto committed = file->commit(); !committed) return complain(committed.error().message);
    std::printf("  the guest's image: %s, %zu bytes; Xen's own check: verify-stream-v2 -f libxl -i %s\n", path.c_str(),
                bytes.size(), path.c_str());
    return kWell;
}

int run_command(const RunArguments& a) {
    const auto scenario = find_scenario(a.scenario);
    if (!scenario) return complain(scenario.error().message);
    if (scenario->locking) return run_experiment(*scenario, a);
    if (a.json || !a.plot.empty())
        return complain("--json and --plot tell the result of an experiment, a scenario with a [locking]; '" +
                        scenario->name + "' is none");
    const bool many = a.seeds != 0 || a.migrate_at == "every";
    if (many && (!a.save_image.empty() || !a.trace_to.empty()))
        return complain("--save-image and --trace-to are of one run: give --seed S or --migrate-at N instead of " +
                        std::string(a.seeds != 0 ? "--seeds" : "'every'"));
    auto subject = find_subject(a.subject, *scenario);
    if (!subject) return complain(subject.error().message);
    world::RunOptions options{.seed = a.seed, .model = a.model, .subjects = std::move(*subject)};
    if (!a.migrate_at.empty()) {
        if (scenario->migrations.empty())
            return complain("--migrate-at: scenario '" + scenario->name +
                            "' has no [migrate], so there is nobody to move");
        if (a.migrate_at == "every") return run_everywhere(*scenario, a, options);
        std::uint64_t at = 0;
        const char* end = a.migrate_at.data() + a.migrate_at.size();
        const auto parsed = std::from_chars(a.migrate_at.data(), end, at);
        if (parsed.ec != std::errc{} || parsed.ptr != end)
            return complain("--migrate-at takes a choice point's number, or 'every'; not '" + a.migrate_at + "'");
        options.migrate_at = at;
    }
    std::ofstream trace;
    if (!a.trace_to.empty()) {
        trace.open(a.trace_to);
        if (!trace) return complain(a.trace_to + ": can't be written");
        options.trace = [&trace](const std::string& line) { trace << line << '\n'; };
    }
    if (a.seeds != 0) return run_seeds(*scenario, a, options);
    const SubjectRuns how = subject_runs(a);
    const auto once = [&]() -> Tally {
        std::vector<std::byte> image;
        if (!a.save_image.empty())
            options.saved = [&image](std::span<const std::byte> whole) { image.assign(whole.begin(), whole.end()); };
        const int outcome = tell(world::run(*scenario, options), a.trace, how.again);
        trace.flush();
        if (a.save_image.empty() || outcome != kWell) return {.outcome = outcome};
        if (!image.empty()) return {.outcome = save_image(a.save_image, image)};
        return {.outcome =
                    complain("--save-image: nobody moved in this run of '" + scenario->name +
                             "', so there is no image; take a scenario with a [[migrate]] that is not cancelled")};
    };
    return run_subject(how, once).outcome;
}

struct ReplayArguments {
    std::string token, scenario, subject;
    bool trace = false, in_process = false;
    unsigned run_seconds = 60;
};

int replay_command(const ReplayArguments& a) {
    const auto token = engine::read_shown_token(a.token);
    if (!token) return complain(token.error().message);
    if (fuzz::is_fuzz_token(*token)) return replay_fuzz(*token, a.subject, a.trace);
    const auto name = world::scenario_of(*token);
    if (!name) return complain(name.error().message);
    const auto scenario = find_scenario(a.scenario.empty() ? *name : a.scenario);
    if (!scenario) return complain(scenario.error().message);
    const auto subject = find_subject(a.subject, *scenario);
    if (!subject) return complain(subject.error().message);
    const SubjectRuns how = subject_runs(a);
    return run_subject(
               how,
               [&]() -> Tally {
                   const auto report = world::replay(*scenario, *token, *subject);
                   return {.outcome = report ? tell(*report, a.trace, how.again) : complain(report.error().message)};
               })
        .outcome;
}

template <class Arguments>
void add_apartness(CLI::App& command, Arguments& a) {
    command.add_flag("--in-process", a.in_process, "with --subject: no process for each run, for a debugger");
    command
        .add_option("--run-seconds", a.run_seconds, "with --subject: processor time after which a run has hung (60)")
        ->check(CLI::PositiveNumber);
}

}  // namespace

void add_run(CLI::App& app, Action& chosen) {
    auto a = std::make_shared<RunArguments>();
    CLI::App* command = app.add_subcommand("run", "Runs a scenario and checks what comes of it");
    command->add_option("SCENARIO", a->scenario, "a .toml file, or the name of one in fixtures/scenarios")->required();
    command->add_option("--subject", a->subject,
                        "a library with somebody's frontend or backend, in the place of Xenrig's own");
    command->add_option("--seed", a->seed, "where the choices come from; without one all are the mildest");
    command->add_option("--seeds", a->seeds, "run so many seeds, one after the other");
    command->add_option("--first-seed", a->first_seed, "where --seeds begins (0)");
    command->add_option("--migrate-at", a->migrate_at,
                        "ask the guest to suspend at this choice point; 'every': one run for each");
    command->add_option("--runs", a->runs_max, "with 'every': at most so many, evenly spread (20000)")
        ->check(CLI::PositiveNumber);
    command->add_option("--model", a->model, "memory model; without one it is drawn from the seed")
        ->check(CLI::IsMember({"sc", "tso", "relaxed"}));
    command->add_flag("--trace", a->trace, "print the last steps before a problem");
    command->add_option("--trace-to", a->trace_to,
                        "write every step to this file: two of them, and diff shows where runs part");
    command->add_option("--save-image", a->save_image,
                        "keep the guest's image of the last migration in this file (docs/image.md)");
    command->add_option("--plot", a->plot, "of an experiment: draw the result into this file, an SVG");
    command->add_flag("--json", a->json, "of an experiment: tell the result as JSON");
    add_apartness(*command, *a);
    command->callback([a, &chosen, command] {
        static constexpr const char* kOfAnExperiment[] = {"SCENARIO", "--seed", "--plot", "--json"};
        for (const CLI::Option* option : command->get_options())
            a->of_a_run |= option->count() != 0 && std::ranges::none_of(kOfAnExperiment, [&](const char* name) {
                               return option->check_name(name);
                           });
        chosen = [a] { return run_command(*a); };
    });
}

void add_replay(CLI::App& app, Action& chosen) {
    auto a = std::make_shared<ReplayArguments>();
    CLI::App* command = app.add_subcommand("replay", "Runs again what a token stands for");
    command->add_option("TOKEN", a->token, "as a report printed it; @FILE reads it from a file")->required();
    command->add_option("--scenario", a->scenario, "the scenario's file, when it is none of fixtures/scenarios");
    command->add_option("--subject", a->subject, "the library of the driver that it was made with");
    command->add_flag("--trace", a->trace, "print the last steps before the problem");
    add_apartness(*command, *a);
    command->callback([a, &chosen] { chosen = [a] { return replay_command(*a); }; });
}

}  // namespace xenrig::cli
