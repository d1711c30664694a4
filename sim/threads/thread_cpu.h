// One vCPU on one OS thread: its tasks as fibers, its upcall, its sleep.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sim/fiber/fiber.h"
#include "xenrig/platform/cpu.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::threads {

class ThreadCpu;
class ThreadMachine;

class ThreadTask final : public Task {
public:
    enum class State : std::uint8_t { ready, running, parked, finished };

    ThreadTask(ThreadCpu& home, std::string label, TaskRole kind, std::function<void()> work);

    const std::string& name() const override { return name_; }
    TaskRole role() const override { return role_; }
    bool finished() const override { return done.load(std::memory_order_acquire); }

    ThreadCpu& cpu;
    /// Under the vCPU's queue lock.
    State state = State::ready;
    bool woken = false;
    /// The vCPU's own thread's.
    bool cancelled = false;
    bool started = false;
    bool ended = false;
    unsigned unwinding_deferred = 0;
    std::atomic<bool> done{false};
    std::unique_ptr<Fiber> fiber;

private:
    static void run(void* self);

    std::string name_;
    TaskRole role_;
    std::function<void()> body_;
};

class ThreadCpu final : public Cpu, public Scheduler {
public:
    ThreadCpu(ThreadMachine& machine, std::string name);
    ~ThreadCpu() override;

    // Cpu
    const std::string& name() const override { return name_; }
    Task& spawn(std::string name, TaskRole role, std::function<void()> body) override;
    void set_upcall(Upcall* upcall) override;
    void kick() override;
    void halt(const char* why, const std::function<bool()>& over) override;
    void pause() override;
    void unpause() override;
    void freeze() override;
    void kill() override;

    // Scheduler, for the thread itself
    Task* current_task() override { return current_; }
    Cpu* current_cpu() override { return this; }
    bool in_upcall() override { return in_upcall_; }
    void point(Step step, std::uint64_t object) override;
    void park(const WaitQueue& on) override;
    void wake(Task& task) override { wake_task(task); }
    void yield() override;
    void spin(std::string_view lock, const Task* holder) override;
    bool irq_save() override;
    void irq_restore(bool enabled) override;
    void lock_taken(const void*, std::string_view, bool) override {}
    void lock_dropped(const void*) override {}
    bool unwinding() override { return unwinding_; }
    void defer_unwinding(bool on) override;
    Nanoseconds now() override;

    static void wake_task(Task& task);
    std::string state() const;

private:
    friend class ThreadTask;

    void loop();
    void signal();
    void stand_still();
    void sleep_until_signalled(std::uint32_t seen);
    bool deliver_pending();
    ThreadTask* next_ready();
    void switch_to_loop();
    void unwind_all();

    ThreadMachine& machine_;
    const std::string name_;
    /// Protects ready_, tasks_ and their states; held for a few instructions.
    mutable std::mutex queue_lock_;
    std::deque<ThreadTask*> ready_;
    std::vector<std::unique_ptr<ThreadTask>> tasks_;
    /// Counts reasons to look again; the thread sleeps on its value.
    std::atomic<std::uint32_t> signals_{0};
    std::atomic<bool> kicked_{false};
    std::atomic<Upcall*> upcall_{nullptr};
    std::atomic<unsigned> paused_{0};
    std::atomic<bool> freezing_{false};
    std::atomic<bool> frozen_{false};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> stopped_{false};

    // The thread's own.
    Fiber* loop_fiber_ = nullptr;
    ThreadTask* current_ = nullptr;
    bool in_upcall_ = false;
    bool irqs_on_ = true;
    bool unwinding_ = false;

    std::thread thread_;
};

}  // namespace xenrig::threads
