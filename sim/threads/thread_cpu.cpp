#include "sim/threads/thread_cpu.h"

#include <algorithm>
#include <utility>

#include "sim/threads/thread_machine.h"
#include "xenrig/abi/check.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig::threads {

namespace {

/// Looks before sleeping, for a wake-up from the kernel costs as much as some thousand of them: first by itself, then
/// giving way to other vCPUs, of which there may be more than processors.
constexpr int kSpins = 20;
constexpr int kYields = 300;

}  // namespace

ThreadTask::ThreadTask(ThreadCpu& home, std::string label, TaskRole kind, std::function<void()> work)
    : cpu(home),
      fiber(std::make_unique<Fiber>(&ThreadTask::run, this)),
      name_(std::move(label)),
      role_(kind),
      body_(std::move(work)) {}

void ThreadTask::run(void* self) {
    auto& task = *static_cast<ThreadTask*>(self);
    task.started = true;
    try {
        task.body_();
    } catch (const Unwound&) {
        check(task.cancelled, "only a task whose domain died is unwound");
    }
    task.body_ = nullptr;
    {
        const std::lock_guard held(task.cpu.queue_lock_);
        task.state = State::finished;
    }
    task.ended = true;
    task.cpu.switch_to_loop();
    check(false, "a finished task never runs again");
}

ThreadCpu::ThreadCpu(ThreadMachine& machine, std::string name)
    : machine_(machine), name_(std::move(name)), thread_([this] { loop(); }) {}

ThreadCpu::~ThreadCpu() {
    kill();
    thread_.join();
}

Task& ThreadCpu::spawn(std::string name, TaskRole role, std::function<void()> body) {
    auto task = std::make_unique<ThreadTask>(*this, std::move(name), role, std::move(body));
    ThreadTask& spawned = *task;
    if (role == TaskRole::work) machine_.work_began();
    {
        const std::lock_guard held(queue_lock_);
        tasks_.push_back(std::move(task));
        ready_.push_back(&spawned);
    }
    signal();
    return spawned;
}

void ThreadCpu::set_upcall(Upcall* upcall) { upcall_.store(upcall, std::memory_order_release); }

void ThreadCpu::signal() {
    signals_.fetch_add(1, std::memory_order_seq_cst);
    signals_.notify_one();
}

void ThreadCpu::kick() {
    kicked_.store(true, std::memory_order_release);
    signal();
}

void ThreadCpu::pause() {
    paused_.fetch_add(1, std::memory_order_acq_rel);
    signal();
}

void ThreadCpu::unpause() {
    check(paused_.fetch_sub(1, std::memory_order_acq_rel) != 0, "a vCPU is unpaused as often as it was paused");
    signal();
}

void ThreadCpu::freeze() {
    freezing_.store(true, std::memory_order_release);
    signal();
    while (!frozen_.load(std::memory_order_acquire)) frozen_.wait(false);
}

void ThreadCpu::stand_still() {
    frozen_.store(true, std::memory_order_release);
    frozen_.notify_all();
    for (;;) {
        const std::uint32_t seen = signals_.load(std::memory_order_acquire);
        if (stopping_.load(std::memory_order_acquire)) return;
        sleep_until_signalled(seen);
    }
}

void ThreadCpu::kill() {
    freeze();
    stopping_.store(true, std::memory_order_release);
    signal();
    while (!stopped_.load(std::memory_order_acquire)) stopped_.wait(false);
}

void ThreadCpu::sleep_until_signalled(std::uint32_t seen) {
    for (int i = 0; i < kSpins; ++i) {
        if (signals_.load(std::memory_order_acquire) != seen) return;
        __builtin_ia32_pause();
    }
    for (int i = 0; i < kYields; ++i) {
        if (signals_.load(std::memory_order_acquire) != seen) return;
        std::this_thread::yield();
    }
    signals_.wait(seen, std::memory_order_acquire);
}

void ThreadCpu::loop() {
    Fiber here;
    loop_fiber_ = &here;
    scheduler = this;
    while (!freezing_.load(std::memory_order_acquire)) {
        const std::uint32_t seen = signals_.load(std::memory_order_acquire);
        if (paused_.load(std::memory_order_acquire) != 0) {
            sleep_until_signalled(seen);
            continue;
        }
        if (deliver_pending()) continue;
        ThreadTask* task = next_ready();
        if (!task) {
            sleep_until_signalled(seen);
            continue;
        }
        current_ = task;
        here.jump_to(*task->fiber);
        current_ = nullptr;
        if (task->ended) {
            task->fiber.reset();
            task->done.store(true, std::memory_order_release);
            if (task->role() == TaskRole::work) machine_.work_ended();
        }
    }
    stand_still();
    unwind_all();
    scheduler = nullptr;
    stopped_.store(true, std::memory_order_release);
    stopped_.notify_all();
}

ThreadTask* ThreadCpu::next_ready() {
    const std::lock_guard held(queue_lock_);
    if (ready_.empty()) return nullptr;
    ThreadTask* task = ready_.front();
    ready_.pop_front();
    task->state = ThreadTask::State::running;
    return task;
}

void ThreadCpu::unwind_all() {
    unwinding_ = true;
    constexpr int kPasses = 100;
    for (int pass = 0; pass < kPasses; ++pass) {
        bool left = false;
        for (std::size_t i = 0; i < tasks_.size(); ++i) {
            ThreadTask& task = *tasks_[i];
            if (task.done.load(std::memory_order_relaxed)) continue;
            task.cancelled = true;
            if (task.started) {
                current_ = &task;
                loop_fiber_->jump_to(*task.fiber);
                current_ = nullptr;
            }
            if (!task.started || task.ended) {
                task.done.store(true, std::memory_order_release);
                if (task.role() == TaskRole::work) machine_.work_ended();
            } else {
                left = true;
            }
        }
        if (!left) return;
    }
    check(false, "a killed domain's tasks unwind without waiting for each other");
}

bool ThreadCpu::deliver_pending() {
    if (in_upcall_ || !irqs_on_ || unwinding_) return false;
    if (!kicked_.exchange(false, std::memory_order_acquire)) return false;
    Upcall* upcall = upcall_.load(std::memory_order_acquire);
    if (!upcall || !upcall->pending()) return false;
    in_upcall_ = true;
    upcall->deliver();
    in_upcall_ = false;
    // What came in meanwhile kicked again, or is still pending.
    kicked_.store(true, std::memory_order_relaxed);
    return true;
}

void ThreadCpu::switch_to_loop() { current_->fiber->jump_to(*loop_fiber_); }

void ThreadCpu::point(Step, std::uint64_t) {
    if (!current_ || unwinding_) return;
    while (paused_.load(std::memory_order_acquire) != 0 && !in_upcall_ && irqs_on_ &&
           !freezing_.load(std::memory_order_acquire)) {
        const std::uint32_t seen = signals_.load(std::memory_order_acquire);
        if (paused_.load(std::memory_order_acquire) != 0) sleep_until_signalled(seen);
    }
    // Under an irq lock the vCPU goes on: others may spin for it.
    if (freezing_.load(std::memory_order_acquire) && !in_upcall_ && irqs_on_) return switch_to_loop();
    if (kicked_.load(std::memory_order_relaxed)) deliver_pending();
}

void ThreadCpu::park(const WaitQueue&) {
    ThreadTask& self = *current_;
    if (!unwinding_) {
        {
            const std::lock_guard held(queue_lock_);
            if (std::exchange(self.woken, false)) return;
            self.state = ThreadTask::State::parked;
        }
        switch_to_loop();
    }
    if (!self.cancelled) return;
    if (self.unwinding_deferred == 0) throw Unwound{};
    switch_to_loop();
}

void ThreadCpu::wake_task(Task& task) {
    auto& t = static_cast<ThreadTask&>(task);
    {
        const std::lock_guard held(t.cpu.queue_lock_);
        if (t.state != ThreadTask::State::parked) {
            t.woken = true;
            return;
        }
        t.state = ThreadTask::State::ready;
        t.cpu.ready_.push_back(&t);
    }
    // A vCPU that wakes one of its own tasks is awake.
    if (scheduler != &t.cpu) t.cpu.signal();
}

void ThreadCpu::yield() {
    if (!current_ || in_upcall_) return std::this_thread::yield();
    ThreadTask& self = *current_;
    if (!unwinding_) {
        {
            const std::lock_guard held(queue_lock_);
            self.state = ThreadTask::State::ready;
            ready_.push_back(&self);
        }
        switch_to_loop();
    }
    if (!self.cancelled) return;
    if (self.unwinding_deferred == 0) throw Unwound{};
    switch_to_loop();
}

void ThreadCpu::spin(std::string_view, const Task*) {
    if (!freezing_.load(std::memory_order_acquire)) return std::this_thread::yield();
    // The holder may stand still already: a vCPU in SCHEDOP_shutdown holds locks.
    if (current_) return switch_to_loop();
    unwinding_ = true;
}

bool ThreadCpu::irq_save() { return std::exchange(irqs_on_, false); }

void ThreadCpu::irq_restore(bool enabled) {
    irqs_on_ = enabled;
    if (enabled && current_ && kicked_.load(std::memory_order_relaxed)) deliver_pending();
}

void ThreadCpu::defer_unwinding(bool on) {
    if (current_) on ? ++current_->unwinding_deferred : --current_->unwinding_deferred;
}

void ThreadCpu::halt(const char*, const std::function<bool()>& over) {
    for (;;) {
        const std::uint32_t seen = signals_.load(std::memory_order_acquire);
        // In this order: who ends the wait of a guest that has moved paused its vCPUs before.
        if (over() && paused_.load(std::memory_order_acquire) == 0) return;
        if (freezing_.load(std::memory_order_acquire)) {
            // The domain dies while it is down: its tasks unwind from the loop, this one first.
            switch_to_loop();
            throw Unwound{};
        }
        sleep_until_signalled(seen);
    }
}

Nanoseconds ThreadCpu::now() { return machine_.now(); }

std::string ThreadCpu::state() const {
    static constexpr const char* kStates[] = {"ready", "running", "waits", "finished"};
    const std::lock_guard held(queue_lock_);
    std::string text;
    for (const auto& task : tasks_)
        if (task->state != ThreadTask::State::finished)
            text += "  " + name_ + "  " + task->name() + "  " + kStates[static_cast<std::size_t>(task->state)] + "\n";
    return text;
}

}  // namespace xenrig::threads
