#include "xenrig/platform/lock.h"

#include <thread>

#include "name_number.h"
#include "xenrig/abi/check.h"
#include "xenrig/platform/scheduler.h"
#include "xenrig/platform/wait_queue.h"
#include "xenrig/shared/watcher.h"

namespace xenrig {

namespace {

/// Stands for a holder that is no task: set-up code, an engine callback, a thread of nobody's.
Task* const kOutside = reinterpret_cast<Task*>(std::uintptr_t{1});

Task* caller() {
    Task* task = scheduler ? scheduler->current_task() : nullptr;
    return task ? task : kOutside;
}

Task* named_task(Task* holder) { return holder == kOutside ? nullptr : holder; }

bool unwinding() { return scheduler && scheduler->unwinding(); }

bool take(std::atomic<Task*>& holder, Task* self) {
    Task* nobody = nullptr;
    return holder.compare_exchange_strong(nobody, self, std::memory_order_acquire, std::memory_order_relaxed);
}

}  // namespace

Lock::Lock(std::string name)
    : name_(std::move(name)), number_(name_number(name_)), waiters_(std::make_unique<WaitQueue>("lock " + name_)) {}

Lock::~Lock() = default;

void Lock::lock() {
    Task* const self = caller();
    if (scheduler) scheduler->point(Step::lock, number_);
    while (!take(holder_, self)) {
        if (unwinding()) return;
        check(holder_.load(std::memory_order_relaxed) != self || self == kOutside, "a Lock is not taken twice");
        if (self == kOutside) {
            check(!shared::watcher, "an engine callback does not wait for a guest's lock");
            std::this_thread::yield();
            continue;
        }
        // Unlock empties the holder first and looks at the queue second: here it is the other way round.
        waiters_->enter();
        if (holder_.load(std::memory_order_relaxed) == nullptr)
            waiters_->leave();
        else
            waiters_->sleep();
    }
    if (scheduler) scheduler->lock_taken(this, name_, false);
}

void Lock::unlock() {
    // The step comes first: its full barrier makes what was written under the lock visible before the next holder runs.
    if (scheduler) scheduler->point(Step::unlock, number_);
    if (holder_.load(std::memory_order_relaxed) != caller()) {
        check(unwinding(), "a Lock is unlocked by its holder");
        return;
    }
    if (scheduler) scheduler->lock_dropped(this);
    holder_.store(nullptr, std::memory_order_release);
    waiters_->wake(1);
}

IrqLock::IrqLock(std::string name) : name_(std::move(name)), number_(name_number(name_)) {}

void IrqLock::lock() {
    Task* const self = caller();
    if (scheduler) scheduler->point(Step::irq_lock, number_);
    const bool irqs_were_on = !scheduler || scheduler->irq_save();
    while (!take(holder_, self)) {
        Task* const holder = holder_.load(std::memory_order_relaxed);
        if (unwinding()) {
            scheduler->irq_restore(irqs_were_on);
            return;
        }
        check(holder != self || self == kOutside, "an IrqLock is not taken twice");
        if (scheduler && scheduler->current_cpu()) {
            scheduler->spin(name_, named_task(holder));
        } else {
            check(!shared::watcher, "an engine callback does not wait for a guest's lock");
            std::this_thread::yield();
        }
    }
    irqs_were_on_ = irqs_were_on;
    if (scheduler) scheduler->lock_taken(this, name_, true);
}

void IrqLock::unlock() {
    if (scheduler) scheduler->point(Step::irq_unlock, number_);
    if (holder_.load(std::memory_order_relaxed) != caller()) {
        check(unwinding(), "an IrqLock is unlocked by its holder");
        return;
    }
    const bool irqs_were_on = irqs_were_on_;
    holder_.store(nullptr, std::memory_order_release);
    if (!scheduler) return;
    scheduler->lock_dropped(this);
    scheduler->irq_restore(irqs_were_on);
}

}  // namespace xenrig
