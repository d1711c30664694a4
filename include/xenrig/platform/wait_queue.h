// Where tasks wait for something that another task or an upcall brings about.
//
// Wait in a loop on a condition under the lock that protects it; whoever makes it true changes it under the same lock
// and wakes. wait() lets go of the lock only after the task stands in the queue, so no wake is lost.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "xenrig/abi/types.h"

namespace xenrig {

class Task;

class WaitQueue {
public:
    /// `name` says what is waited for ("requests on ring 0"); `state` adds, when a report asks, what it looks like now.
    explicit WaitQueue(std::string name, std::function<std::string()> state = {});
    ~WaitQueue();
    WaitQueue(const WaitQueue&) = delete;
    WaitQueue& operator=(const WaitQueue&) = delete;

    /// Waits until `condition()`; `lock` (a Lock or an IrqLock) is held when it is evaluated and on return.
    template <class L, class Condition>
    void wait(L& lock, Condition condition) {
        while (!condition()) {
            enter();
            lock.unlock();
            sleep();
            lock.lock();
        }
    }

    void wake_one();
    void wake_all();

    const std::string& name() const { return name_; }
    std::string describe() const;

private:
    friend class Lock;
    void enter();
    void sleep();
    void leave();
    void wake(std::size_t most);

    std::string name_;
    std::uint64_t number_;
    std::function<std::string()> state_;
    /// For a few instructions at a time; never contended in the deterministic world.
    mutable std::atomic_flag busy_;
    std::deque<Task*> waiters_;
};

/// Blocks the calling task for at least `duration`.
class Clock;
void sleep_for(Clock& clock, Nanoseconds duration);

}  // namespace xenrig
