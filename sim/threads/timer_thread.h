// Timers of the threaded platform: one thread that sleeps until the earliest deadline.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "xenrig/platform/machine.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::threads {

class TimerThread {
public:
    /// `outside` is what handlers wake tasks through.
    TimerThread(const Machine& clock, Scheduler& outside);
    ~TimerThread();

    TimerId at(Nanoseconds deadline, std::function<void()> fire);
    bool cancel(TimerId timer);

private:
    void loop(Scheduler& outside);

    const Machine& clock_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::function<void()>> timers_;
    std::uint64_t made_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace xenrig::threads
