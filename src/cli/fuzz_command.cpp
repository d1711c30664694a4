// xenrig fuzz: runs the libFuzzer program of a target (tests/fuzz), which a build with the preset `fuzz` makes.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "fuzz_run.h"
#include "sim/engine/token_text.h"
#include "sim/fuzz/blk_target.h"

namespace xenrig::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage =
    "Examples:\n"
    "  xenrig fuzz --list\n"
    "  xenrig fuzz blkback --build --time 300       five minutes, from the seeds of fixtures/fuzz/blkback\n"
    "  xenrig fuzz blkback --minimize FILE          a shorter input that breaks the same rule, in FILE.min\n"
    "  xenrig fuzz blkback --corpus NEW --merge OLD what is worth keeping of the folder OLD\n"
    "  xenrig fuzz blkback --subject ./libmine.so   your own blkback, as in xenrig conformance\n"
    "  xenrig fuzz blkback --check-reset            10,000 inputs in two orders: is each run the same?\n"
    "\n"
    "It begins with the named seeds of fixtures/fuzz/TARGET and keeps what it learns in the corpus. A rule that is "
    "broken\n"
    "ends the run: the input lies in TARGET-crash-... in this folder, and for all but the store's targets a token is "
    "printed,\n"
    "which `xenrig replay` plays in any build. Put the input into fixtures/fuzz/TARGET, and every test run plays it.\n"
    "docs/howto-fuzz.md says what the bytes mean, and how to write a target.\n"
    "\n"
    "Exit codes: 0 nothing was found, 1 a rule was broken, 2 it could not be run.";

struct StoreTarget {
    const char *name, *about;
};
constexpr std::array kStoreTargets = {
    StoreTarget{"xenstore_ring", "a hostile guest on its xenstore ring: bytes, indices, reconnection, death"},
    StoreTarget{"xenstore_wire", "clients of xenstored that send any bytes in any pieces"}};

struct FuzzArguments {
    std::string target, corpus, minimize, subject, program;
    std::vector<std::string> merge;
    unsigned seconds = 60, jobs = 1;
    std::uint64_t runs = 0;
    bool list = false, build = false, json = false, check_reset = false;
};

std::string names() {
    std::string all;
    for (const fuzz::BlkTarget& t : fuzz::blk_targets()) all += std::string(t.name) + ", ";
    for (const StoreTarget& t : kStoreTargets) all += std::string(t.name) + (&t == &kStoreTargets.back() ? "" : ", ");
    return all;
}

bool known(const std::string& target) {
    for (const StoreTarget& t : kStoreTargets)
        if (target == t.name) return true;
    return fuzz::find_blk_target(target) != nullptr;
}

int list() {
    for (const fuzz::BlkTarget& t : fuzz::blk_targets())
        std::printf("%-14s %s\n", std::string(t.name).c_str(), std::string(t.about).c_str());
    for (const StoreTarget& t : kStoreTargets) std::printf("%-14s %s\n", t.name, t.about);
    return kWell;
}

/// Shell words of a build that has been asked for, or is said to who must ask for it.
std::string build_command(const std::string& target) {
    return "cd '" XENRIG_FUZZ_TREE "' && cmake --preset fuzz && cmake --build --preset fuzz --target fuzz_" + target;
}

bool built(const std::string& target) {
    const auto run = run_fuzzer({"/bin/sh", "-c", "(" + build_command(target) + ") >&2"},
                                [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); });
    return run && run->exit_code == 0;
}

std::vector<std::string> command_of(const FuzzArguments& a, const std::string& program, const std::string& corpus) {
    constexpr std::uint64_t kResetInputs = 10'000;
    if (a.check_reset) return {program, "--check-reset=" + std::to_string(a.runs != 0 ? a.runs : kResetInputs)};
    std::vector<std::string> command{program,
                                     "-error_exitcode=" + std::to_string(kFoundWrong),
                                     "-timeout_exitcode=" + std::to_string(kFoundWrong),
                                     "-oom_exitcode=" + std::to_string(kFoundWrong),
                                     "-max_total_time=" + std::to_string(a.seconds),
                                     "-print_final_stats=1"};
    if (!a.minimize.empty()) {
        command.insert(command.end(), {"-minimize_crash=1", "-exact_artifact_path=" + a.minimize + ".min", a.minimize});
        return command;
    }
    command.push_back("-artifact_prefix=" + a.target + "-");
    if (a.runs != 0) command.push_back("-runs=" + std::to_string(a.runs));
    if (a.jobs > 1) command.push_back("-fork=" + std::to_string(a.jobs));
    if (!a.merge.empty()) command.emplace_back("-merge=1");
    command.push_back(corpus);
    if (a.merge.empty())
        command.push_back(std::string(XENRIG_FUZZ_SEEDS) + "/" + a.target);
    else
        command.insert(command.end(), a.merge.begin(), a.merge.end());
    return command;
}

/// What replays an input; empty for targets whose inputs have no tokens.
std::string token_of_file(const FuzzArguments& a, const std::string& file) {
    const fuzz::BlkTarget* blk = fuzz::find_blk_target(a.target);
    std::ifstream in(file, std::ios::binary);
    if (!blk || !in) return {};
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    return engine::show_token(fuzz::token_of(*blk, std::as_bytes(std::span(bytes)), !a.subject.empty()));
}

void print_json(const FuzzArguments& a, const FuzzRun& run) {
    nlohmann::ordered_json all{{"target", a.target},
                               {"executions", run.executions},
                               {"executions_per_s", run.executions_per_s},
                               {"edges", run.edges},
                               {"features", run.features}};
    if (run.door_accesses != 0 && run.executions != 0)
        all["door_accesses_per_execution"] = run.door_accesses / run.executions;
    auto& found = all["found"] = nlohmann::ordered_json::array();
    for (const std::string& file : run.found) {
        nlohmann::ordered_json one{{"file", file}};
        if (const std::string token = token_of_file(a, file); !token.empty()) one["token"] = token;
        found.push_back(std::move(one));
    }
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

void print_summary(const FuzzArguments& a, const FuzzRun& run) {
    const auto n = [](std::uint64_t v) { return static_cast<unsigned long long>(v); };
    std::printf("%s: %llu executions, %llu a second, %llu edges\n", a.target.c_str(), n(run.executions),
                n(run.executions_per_s), n(run.edges));
    if (run.door_accesses != 0 && run.executions != 0)
        std::printf("  %llu door accesses an execution\n", n(run.door_accesses / run.executions));
    for (const std::string& file : run.found) {
        std::printf("found: %s\n", file.c_str());
        if (const std::string token = token_of_file(a, file); !token.empty())
            std::printf("  replay: xenrig replay %s%s%s\n", token.c_str(), a.subject.empty() ? "" : " --subject ",
                        a.subject.c_str());
    }
}

/// Whether it is a subject, the fuzzer says: one that was built with its sanitizers can't be loaded here. Empty when
/// all is well.
std::string wrong_subject(const FuzzArguments& a) {
    const fuzz::BlkTarget* target = fuzz::find_blk_target(a.target);
    if (!target || !target->takes_subject()) return "--subject is for blkback and blkfront, not for " + a.target;
    if (fs::exists(a.subject)) return {};
    return a.subject + ": there is no such file; give the path of the subject's shared library";
}

int fuzz_command(const FuzzArguments& a) {
    if (a.list) return list();
    if (a.target.empty()) return complain("which target? xenrig fuzz --list says what there is");
    if (!known(a.target)) return complain("there is no target '" + a.target + "'; there are: " + names());
    if (!a.subject.empty()) {
        if (const std::string wrong = wrong_subject(a); !wrong.empty()) return complain(wrong);
        ::setenv("XENRIG_FUZZ_SUBJECT", fs::absolute(a.subject).c_str(), 1);
    }
    const std::string program = a.program.empty() ? std::string(XENRIG_FUZZ_PROGRAMS) + "/fuzz_" + a.target : a.program;
    if (a.build && !built(a.target)) return complain("the build failed; it needs clang-19: " + build_command(a.target));
    if (::access(program.c_str(), X_OK) != 0)
        return complain(program + " is not built; give --build, or build it: " + build_command(a.target));
    if (!a.minimize.empty() && !fs::exists(a.minimize)) return complain(a.minimize + ": there is no such file");

    const std::string corpus = a.corpus.empty() ? "fuzz-" + a.target : a.corpus;
    std::error_code error;
    if (a.minimize.empty() && !a.check_reset) fs::create_directories(corpus, error);
    if (error) return complain(corpus + ": " + error.message());

    const auto run = run_fuzzer(command_of(a, program, corpus), [&](const std::string& line) {
        if (!a.json || line.starts_with("xenrig: ")) std::fprintf(stderr, "%s\n", line.c_str());
    });
    if (!run) return complain(run.error().message);
    if (run->exit_code != 0 && run->exit_code != kFoundWrong) return kCouldNot;
    if (!a.check_reset) a.json ? print_json(a, *run) : print_summary(a, *run);
    return run->exit_code == 0 ? kWell : kFoundWrong;
}

}  // namespace

void add_fuzz(CLI::App& app, Action& chosen) {
    CLI::App* command = app.add_subcommand("fuzz", "Plays any bytes as a hostile peer, guided by coverage");
    const auto a = std::make_shared<FuzzArguments>();
    command->add_option("target", a->target, "what is attacked: one of --list");
    command->add_flag("--list", a->list, "the targets, a line each");
    command->add_flag("--build", a->build, "build the target's program first (preset `fuzz`: clang-19, ASan, UBSan)");
    command->add_option("--time", a->seconds, "how long, in seconds; 0: for ever")->capture_default_str();
    command->add_option("--runs", a->runs, "at most so many executions; 0: any number")->capture_default_str();
    command->add_option("--jobs", a->jobs, "processes at a time")->capture_default_str()->check(CLI::Range(1, 256));
    command->add_option("--corpus", a->corpus, "folder for inputs that reach new code; fuzz-TARGET here if not given");
    command->add_option("--merge", a->merge, "instead: put into the corpus what these folders add to it");
    command->add_option("--minimize", a->minimize, "instead: make an input that breaks a rule shorter, into FILE.min");
    command->add_option("--program", a->program, "the target's program, when it is not the one of this source tree");
    command->add_option("--subject", a->subject,
                        "a library with somebody's blkback or blkfront, in the place of Xenrig's own");
    command->add_flag("--check-reset", a->check_reset,
                      "instead: play 10,000 inputs (or --runs) in two orders, and compare their trace hashes");
    command->add_flag("--json", a->json, "nothing but a summary, as JSON");
    command->footer(kUsage);
    command->callback([a, &chosen] { chosen = [a] { return fuzz_command(*a); }; });
}

}  // namespace xenrig::cli
