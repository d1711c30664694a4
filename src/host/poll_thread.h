// A thread that waits for a file descriptor to be readable and then calls back, until it is ended.
#pragma once

#include <functional>
#include <thread>

namespace xenrig {
class Scheduler;
}

namespace xenrig::host {

class PollThread {
public:
    /// `readable` takes what there is, without blocking; it may use locks and wake tasks, and must not wait.
    PollThread(int fd, Scheduler& outside, std::function<void()> readable);
    /// On return `readable` is not running and will not run.
    ~PollThread();
    PollThread(const PollThread&) = delete;
    PollThread& operator=(const PollThread&) = delete;

private:
    const int end_;
    std::thread thread_;
};

}  // namespace xenrig::host
