// xenrig fuzz: runs the libFuzzer program of a target (tests/fuzz), which a build with the preset `fuzz` makes.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"

namespace xenrig::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage =
    "Example:\n"
    "  cmake --preset fuzz && cmake --build --preset fuzz --target fuzz_xenstore_wire\n"
    "  xenrig fuzz xenstore_wire --time 600 --corpus /tmp/wire\n"
    "\n"
    "It begins with the seeds of fixtures/fuzz/TARGET and keeps what it learns in the corpus. An input that breaks a "
    "rule\n"
    "is written to TARGET-crash-... in this folder; put it into fixtures/fuzz/TARGET, and every test run replays it.";

struct FuzzArguments {
    std::string target, corpus;
    unsigned seconds = 60;
};

std::string known_targets() {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(XENRIG_FUZZ_SEEDS, error)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    return all;
}

int fuzz_command(const FuzzArguments& a) {
    std::error_code error;
    const std::string seeds = std::string(XENRIG_FUZZ_SEEDS) + "/" + a.target;
    if (a.target.find('/') != std::string::npos || !fs::is_directory(seeds, error))
        return complain("there is no target '" + a.target + "'; there are: " + known_targets());
    const std::string program = std::string(XENRIG_FUZZ_PROGRAMS) + "/fuzz_" + a.target;
    if (::access(program.c_str(), X_OK) != 0)
        return complain(program +
                        " is not built; build it: cd " XENRIG_FUZZ_TREE
                        " && cmake --preset fuzz && cmake --build --preset fuzz --target fuzz_" +
                        a.target);
    const std::string corpus = a.corpus.empty() ? "fuzz-" + a.target : a.corpus;
    fs::create_directories(corpus, error);
    if (error) return complain(corpus + ": " + error.message());

    // This process becomes the fuzzer, so nothing is left behind when it is killed.
    std::vector<std::string> arguments{program,
                                       "-max_total_time=" + std::to_string(a.seconds),
                                       "-artifact_prefix=" + a.target + "-",
                                       "-error_exitcode=" + std::to_string(kFoundWrong),
                                       "-timeout_exitcode=" + std::to_string(kFoundWrong),
                                       "-print_final_stats=1",
                                       corpus,
                                       seeds};
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    return complain(program + ": " + std::strerror(errno));
}

}  // namespace

void add_fuzz(CLI::App& app, Action& chosen) {
    CLI::App* command = app.add_subcommand("fuzz", "Plays any bytes as a hostile peer, guided by coverage");
    const auto arguments = std::make_shared<FuzzArguments>();
    command->add_option("target", arguments->target, "what is attacked: a folder of fixtures/fuzz")->required();
    command->add_option("--time", arguments->seconds, "how long, in seconds")->capture_default_str();
    command->add_option("--corpus", arguments->corpus,
                        "folder for inputs that reach new code; fuzz-TARGET here if not given");
    command->footer(kUsage);
    command->callback([arguments, &chosen] { chosen = [arguments] { return fuzz_command(*arguments); }; });
}

}  // namespace xenrig::cli
