#include "sim/threads/timer_thread.h"

#include <algorithm>
#include <chrono>

namespace xenrig::threads {

TimerThread::TimerThread(const Machine& clock, Scheduler& outside)
    : clock_(clock), thread_([this, &outside] { loop(outside); }) {}

TimerThread::~TimerThread() {
    {
        const std::lock_guard held(lock_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

TimerId TimerThread::at(Nanoseconds deadline, std::function<void()> fire) {
    const std::lock_guard held(lock_);
    timers_.emplace(std::pair{deadline.value, ++made_}, std::move(fire));
    changed_.notify_all();
    return TimerId{made_};
}

bool TimerThread::cancel(TimerId timer) {
    const std::lock_guard held(lock_);
    const auto found = std::find_if(timers_.begin(), timers_.end(),
                                    [&](const auto& t) { return t.first.second == static_cast<std::uint64_t>(timer); });
    if (found == timers_.end()) return false;
    timers_.erase(found);
    return true;
}

void TimerThread::loop(Scheduler& outside) {
    scheduler = &outside;
    std::unique_lock held(lock_);
    while (!stopping_) {
        if (timers_.empty()) {
            changed_.wait(held);
            continue;
        }
        const auto first = timers_.begin();
        const std::uint64_t now = clock_.now().value;
        if (first->first.first > now) {
            changed_.wait_for(held, std::chrono::nanoseconds(first->first.first - now));
            continue;
        }
        const std::function<void()> fire = std::move(first->second);
        timers_.erase(first);
        held.unlock();
        fire();
        held.lock();
    }
    scheduler = nullptr;
}

}  // namespace xenrig::threads
