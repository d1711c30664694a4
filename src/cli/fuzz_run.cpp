#include "fuzz_run.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace xenrig::cli {

namespace {

/// The number behind `key`, if the line has it.
bool number_after(std::string_view line, std::string_view key, std::uint64_t& value) {
    const auto at = line.find(key);
    if (at == std::string_view::npos) return false;
    value = std::strtoull(std::string(line.substr(at + key.size())).c_str(), nullptr, 10);
    return true;
}

void learn(FuzzRun& run, const std::string& line) {
    (void)number_after(line, " cov: ", run.edges);
    (void)number_after(line, " ft: ", run.features);
    (void)number_after(line, "stat::number_of_executed_units:", run.executions);
    (void)number_after(line, "stat::average_exec_per_sec:", run.executions_per_s);
    (void)number_after(line, "stat::door_accesses:", run.door_accesses);
    constexpr std::string_view kWritten = "Test unit written to ";
    if (const auto at = line.find(kWritten); at != std::string::npos)
        run.found.push_back(line.substr(at + kWritten.size()));
}

[[noreturn]] void become(const std::vector<std::string>& command, int err, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    dup2(err, STDERR_FILENO);
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
}

}  // namespace

Result<FuzzRun> run_fuzzer(const std::vector<std::string>& command,
                           const std::function<void(const std::string&)>& line) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return fail(Errno::noent, std::string("a pipe: ") + std::strerror(errno));
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0) return fail(Errno::noent, std::string("a process: ") + std::strerror(errno));
    if (child == 0) become(command, ends[1], parent);
    close(ends[1]);

    FuzzRun run;
    std::FILE* in = fdopen(ends[0], "r");
    char* text = nullptr;
    std::size_t room = 0;
    for (ssize_t n; (n = getline(&text, &room, in)) > 0;) {
        std::string one(text, static_cast<std::size_t>(n));
        while (!one.empty() && one.back() == '\n') one.pop_back();
        learn(run, one);
        line(one);
    }
    std::free(text);
    std::fclose(in);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (run.exit_code == 127) return fail(Errno::noent, command.front() + " can't be started");
    return run;
}

}  // namespace xenrig::cli
