#include "backend_signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <initializer_list>

namespace xenrig::cli {

BackendSignals::BackendSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal_ = ::signalfd(-1, &set, SFD_CLOEXEC);
    over_ = ::eventfd(0, EFD_CLOEXEC);
}

BackendSignals::~BackendSignals() {
    ::close(signal_);
    ::close(over_);
}

void BackendSignals::tell_over() const {
    const std::uint64_t one = 1;
    (void)!::write(over_, &one, sizeof one);
}

BackendSignals::Signal BackendSignals::wait() const {
    for (;;) {
        pollfd wanted[] = {{signal_, POLLIN, 0}, {over_, POLLIN, 0}};
        if (::poll(wanted, 2, -1) < 0) continue;
        if (wanted[1].revents != 0) return Signal::over;
        signalfd_siginfo info;
        if (::read(signal_, &info, sizeof info) != sizeof info) continue;
        return info.ssi_signo == SIGHUP ? Signal::look_again : Signal::end;
    }
}

}  // namespace xenrig::cli
