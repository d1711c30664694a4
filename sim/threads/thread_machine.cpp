#include "sim/threads/thread_machine.h"

#include <algorithm>
#include <chrono>

#include "sim/threads/thread_cpu.h"
#include "sim/threads/timer_thread.h"
#include "xenrig/abi/check.h"

namespace xenrig::threads {

namespace {

/// For threads that are no vCPU: they may lock and wake, and have nothing to be switched to.
class Outside final : public Scheduler {
public:
    explicit Outside(const Machine& clock) : clock_(clock) {}
    Task* current_task() override { return nullptr; }
    Cpu* current_cpu() override { return nullptr; }
    bool in_upcall() override { return false; }
    void point(Step, std::uint64_t) override {}
    void park(const WaitQueue&) override { check(false, "only tasks wait"); }
    void wake(Task& task) override { ThreadCpu::wake_task(task); }
    void yield() override { std::this_thread::yield(); }
    void spin(std::string_view, const Task*) override { std::this_thread::yield(); }
    bool irq_save() override { return true; }
    void irq_restore(bool) override {}
    void lock_taken(const void*, std::string_view, bool) override {}
    void lock_dropped(const void*) override {}
    bool unwinding() override { return false; }
    void defer_unwinding(bool) override {}
    Nanoseconds now() override { return clock_.now(); }

private:
    const Machine& clock_;
};

}  // namespace

ThreadMachine::ThreadMachine()
    : outside_(std::make_unique<Outside>(*this)), timers_(std::make_unique<TimerThread>(*this, *outside_)) {
    check(!scheduler, "one world a thread at a time");
    scheduler = outside_.get();
}

ThreadMachine::~ThreadMachine() {
    timers_.reset();
    cpus_.clear();
    scheduler = nullptr;
}

Cpu& ThreadMachine::add_cpu(std::string name) {
    const std::lock_guard held(cpus_lock_);
    return *cpus_.emplace_back(std::make_unique<ThreadCpu>(*this, std::move(name)));
}

void ThreadMachine::remove_cpu(Cpu& cpu) {
    std::unique_ptr<ThreadCpu> gone;
    {
        const std::lock_guard held(cpus_lock_);
        const auto found = std::find_if(cpus_.begin(), cpus_.end(), [&](const auto& c) { return c.get() == &cpu; });
        check(found != cpus_.end(), "a vCPU is removed once");
        gone = std::move(*found);
        cpus_.erase(found);
    }
}

Nanoseconds ThreadMachine::now() const {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return {static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count())};
}

TimerId ThreadMachine::at(Nanoseconds deadline, std::function<void()> fire) {
    return timers_->at(deadline, std::move(fire));
}

bool ThreadMachine::cancel(TimerId timer) { return timers_->cancel(timer); }

void ThreadMachine::enter_hypervisor() {
    while (hypervisor_taken_.exchange(true, std::memory_order_acquire)) {
        for (int i = 0; i < 100 && hypervisor_taken_.load(std::memory_order_relaxed); ++i) __builtin_ia32_pause();
        if (hypervisor_taken_.load(std::memory_order_relaxed)) std::this_thread::yield();
    }
}

void ThreadMachine::leave_hypervisor() { hypervisor_taken_.store(false, std::memory_order_release); }

void ThreadMachine::work_began() { unfinished_work_.fetch_add(1, std::memory_order_relaxed); }

void ThreadMachine::work_ended() {
    if (unfinished_work_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_work_.notify_all();
}

bool ThreadMachine::wait_for_work(Nanoseconds patience) {
    // Rarely: whoever waits here competes with the vCPUs for the processors.
    constexpr auto kLook = std::chrono::milliseconds(2);
    const Nanoseconds end = now() + patience;
    while (unfinished_work_.load(std::memory_order_acquire) != 0) {
        if (now() > end) return false;
        std::this_thread::sleep_for(kLook);
    }
    return true;
}

std::string ThreadMachine::state() const {
    const std::lock_guard held(cpus_lock_);
    std::string text;
    for (const auto& cpu : cpus_) text += cpu->state();
    return text;
}

}  // namespace xenrig::threads
