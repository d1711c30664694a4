// A check in a process of its own: what a subject does to its memory, or to itself, it does to nobody else's check.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "sim/conformance/suite.h"

namespace xenrig::conformance {

namespace {

void limit_processor_time(unsigned seconds) {
    const rlimit limit{seconds, seconds + 1};
    setrlimit(RLIMIT_CPU, &limit);
}

/// The outcome, the text, a NUL, the token.
std::string packed(const CheckResult& r) {
    return std::string(1, static_cast<char>(r.outcome)) + r.text + '\0' + r.token;
}

CheckResult unpacked(const Check& check, const std::string& bytes) {
    const auto end = bytes.find('\0', 1);
    return {&check, static_cast<Outcome>(bytes[0]), bytes.substr(1, end - 1), bytes.substr(end + 1)};
}

bool write_all(int to, const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
        const ssize_t n = write(to, bytes.data() + at, bytes.size() - at);
        if (n < 0) return false;
        at += static_cast<std::size_t>(n);
    }
    return true;
}

std::string read_all(int from) {
    std::string bytes;
    char some[4096];
    for (ssize_t n; (n = read(from, some, sizeof some)) > 0;) bytes.append(some, static_cast<std::size_t>(n));
    return bytes;
}

std::string how_it_ended(int status) {
    if (!WIFSIGNALED(status))
        return "its process ended with code " + std::to_string(WEXITSTATUS(status)) + " in the middle of this check";
    const int signal = WTERMSIG(status);
    if (signal == SIGXCPU || signal == SIGKILL) return "it spun in this check until its processor time was used up";
    return "it died of signal " + std::to_string(signal) + " (" + strsignal(signal) + ") in this check";
}

}  // namespace

CheckResult run_apart(const Check& check, unsigned seconds_max) {
    int ends[2];
    if (pipe(ends) != 0) return {&check, Outcome::error, "no pipe for the check's process", {}};
    const pid_t child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return {&check, Outcome::error, "no process for the check", {}};
    }
    if (child == 0) {
        close(ends[0]);
        limit_processor_time(seconds_max);
        _exit(write_all(ends[1], packed(run_one(check))) ? 0 : 1);
    }
    close(ends[1]);
    const std::string told = read_all(ends[0]);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !told.empty()) return unpacked(check, told);
    return {&check,
            Outcome::failure,
            "the subject survives it\n  seen: " + how_it_ended(status) +
                "; in a debugger: gdb --args xenrig conformance --subject FILE --in-process --filter " + check.id,
            {}};
}

}  // namespace xenrig::conformance
