#include "xenrig/platform/wait_queue.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <thread>

#include "name_number.h"
#include "xenrig/abi/check.h"
#include "xenrig/platform/clock.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig {

namespace {

/// Held for a few instructions, without a choice point: only real threads ever find it taken.
class Briefly {
public:
    explicit Briefly(std::atomic_flag& flag) : flag_(flag) {
        while (flag_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
    }
    ~Briefly() { flag_.clear(std::memory_order_release); }
    Briefly(const Briefly&) = delete;
    Briefly& operator=(const Briefly&) = delete;

private:
    std::atomic_flag& flag_;
};

}  // namespace

WaitQueue::WaitQueue(std::string name, std::function<std::string()> state)
    : name_(std::move(name)), number_(name_number(name_)), state_(std::move(state)) {}

WaitQueue::~WaitQueue() { check(waiters_.empty(), "nobody waits in a queue that ends"); }

std::string WaitQueue::describe() const { return state_ ? name_ + " (" + state_() + ")" : name_; }

void WaitQueue::enter() {
    Task* const self = scheduler ? scheduler->current_task() : nullptr;
    check(self != nullptr, "only tasks wait");
    const Briefly held(busy_);
    waiters_.push_back(self);
}

void WaitQueue::sleep() {
    struct Leaving {
        WaitQueue& queue;
        ~Leaving() { queue.leave(); }
    } const leaving{*this};
    scheduler->point(Step::wait, number_);
    scheduler->park(*this);
}

void WaitQueue::leave() {
    Task* const self = scheduler->current_task();
    const Briefly held(busy_);
    std::erase(waiters_, self);
}

void WaitQueue::wake(std::size_t most) {
    // The scheduler is told before the queue is free again: a waiter leaves through the queue, so it still exists here,
    // and the queue too may end as soon as its last waiter has left.
    const Briefly held(busy_);
    for (; most != 0 && !waiters_.empty(); --most) {
        Task& next = *waiters_.front();
        waiters_.pop_front();
        scheduler->wake(next);
    }
}

void WaitQueue::wake_one() {
    if (scheduler) scheduler->point(Step::wake, number_);
    wake(1);
}

void WaitQueue::wake_all() {
    if (scheduler) scheduler->point(Step::wake, number_);
    wake(~std::size_t{0});
}

void sleep_for(Clock& clock, Nanoseconds duration) {
    struct Alarm {
        IrqLock lock{"alarm"};
        WaitQueue rung{"alarm"};
        bool fired = false;
    };
    // Shared with the handler, which may still be on its way out when the sleeper returns, or outlive it.
    const auto alarm = std::make_shared<Alarm>();
    const auto deadline = clock.now() + duration;
    clock.at(deadline, [alarm] {
        const std::lock_guard held(alarm->lock);
        alarm->fired = true;
        alarm->rung.wake_all();
    });
    const std::lock_guard held(alarm->lock);
    alarm->rung.wait(alarm->lock, [&] { return alarm->fired; });
}

}  // namespace xenrig
