// A thread that makes blocking calls for tasks: the task waits, and its vCPU runs other tasks meanwhile.
//
// Calls are made one after another, in the order in which they were asked for.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig {
class Scheduler;
}

namespace xenrig::host {

class CallThread {
public:
    /// `name` says what is called, in reports.
    CallThread(std::string name, Scheduler& outside);
    /// Calls that wait are made; then the thread ends.
    ~CallThread();
    CallThread(const CallThread&) = delete;
    CallThread& operator=(const CallThread&) = delete;

    /// Returns when `call` has been made. Outside a task the caller makes it. A task that is unwound does not wait for
    /// it, so `call` owns what it uses.
    void make(std::function<void()> call);

private:
    struct Call;
    void loop(Scheduler& outside);

    const std::string name_;
    std::mutex lock_;
    std::condition_variable asked_;
    std::deque<std::shared_ptr<Call>> calls_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace xenrig::host
