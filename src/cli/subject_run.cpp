#include "subject_run.h"

#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "sim/engine/token_text.h"
#include "xenrig/world/run.h"

namespace xenrig::cli {

namespace {

/// What the handler knows; there is one child's body in a process.
const SubjectRuns* in_child = nullptr;

constexpr std::array kDeaths = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF};

/// In the middle of whatever the library did. What a handler must not do, allocate and print, it does all the same:
/// the process is lost, and a second death or a minute's silence ends it without a token.
void died(int signal) {
    constexpr unsigned kSilenceSeconds = 60;
    for (const int death : kDeaths) std::signal(death, SIG_DFL);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, nullptr);
    alarm(kSilenceSeconds);
    if (in_child->quiet) _exit(kFoundWrong);

    std::printf("%s", in_child->heading.c_str());
    const auto run = world::run_under_way();
    const unsigned long long step = run ? run->step : 0;
    if (signal == SIGPROF)
        std::printf("hang (step %llu): a run took more than %u seconds of processor time", step, in_child->seconds_max);
    else
        std::printf("crash (step %llu): the run died of signal %d (%s)", step, signal, strsignal(signal));
    if (run) std::printf(", in %s", run->task.c_str());
    std::printf("%s\n", signal == SIGPROF ? "; --run-seconds gives it more" : "; under a debugger add --in-process");
    if (run)
        std::printf("replay: xenrig replay %s%s\n", engine::show_token(run->token).c_str(), in_child->again.c_str());
    std::fflush(stdout);
    _exit(kFoundWrong);
}

void watch_for_death() {
    // The stack that it ran on may be what it has used up.
    static std::array<char, 1 << 17> stack;
    stack_t alternate = {};
    alternate.ss_sp = stack.data();
    alternate.ss_size = stack.size();
    sigaltstack(&alternate, nullptr);
    struct sigaction action = {};
    action.sa_handler = died;
    action.sa_flags = SA_ONSTACK;
    for (const int death : kDeaths) sigaction(death, &action, nullptr);
}

bool write_tally(int to, const Tally& tally) {
    std::array<char, sizeof tally> bytes;
    std::memcpy(bytes.data(), &tally, sizeof tally);
    return write(to, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

void next_subject_run(const SubjectRuns& how) {
    if (!in_child) return;
    itimerval limit = {};
    limit.it_value.tv_sec = how.seconds_max;
    setitimer(ITIMER_PROF, &limit, nullptr);
}

Tally run_subject(const SubjectRuns& how, const std::function<Tally()>& body) {
    if (!how.apart) return body();
    int ends[2];
    Tally tally{.outcome = kCouldNot};
    if (pipe(ends) != 0) {
        complain("there is no pipe for a run's process");
        return tally;
    }
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        in_child = &how;
        watch_for_death();
        next_subject_run(how);
        const bool told = write_tally(ends[1], body());
        std::fflush(stdout);
        _exit(told ? 0 : kCouldNot);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        complain("there is no process for a run");
        return tally;
    }
    const bool heard = read(ends[0], &tally, sizeof tally) == static_cast<ssize_t>(sizeof tally);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (heard) return tally;
    tally = {.outcome = kFoundWrong};
    if (WIFSIGNALED(status) && !how.quiet)
        std::printf("%scrash: the run's process died of signal %d (%s), and could not say where\n", how.heading.c_str(),
                    WTERMSIG(status), strsignal(WTERMSIG(status)));
    return tally;
}

}  // namespace xenrig::cli
