#include "poll_thread.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "xenrig/abi/check.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::host {

namespace {

void loop(int fd, int end, Scheduler& outside, const std::function<void()>& readable) {
    scheduler = &outside;
    for (;;) {
        pollfd wanted[] = {{fd, POLLIN, 0}, {end, POLLIN, 0}};
        if (::poll(wanted, 2, -1) < 0) continue;
        if (wanted[1].revents != 0) break;
        // An error stays: looking at it again and again helps nobody.
        if ((wanted[0].revents & (POLLERR | POLLNVAL)) != 0) fd = -1;
        if ((wanted[0].revents & POLLIN) != 0) readable();
    }
    scheduler = nullptr;
}

}  // namespace

PollThread::PollThread(int fd, Scheduler& outside, std::function<void()> readable)
    : end_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this, fd, &outside, what = std::move(readable)] { loop(fd, end_, outside, what); }) {
    check(end_ >= 0, "there is a descriptor for an eventfd");
}

PollThread::~PollThread() {
    const std::uint64_t one = 1;
    check(::write(end_, &one, sizeof one) == sizeof one, "an eventfd takes a number");
    thread_.join();
    ::close(end_);
}

}  // namespace xenrig::host
