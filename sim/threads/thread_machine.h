// The threaded platform: the same guests and drivers with one OS thread a vCPU, real time, and nothing decided by
// choices.
//
// Tasks of a vCPU share its thread (fibers, switched where they block), so two tasks run at once only on two vCPUs, as
// in a kernel. An upcall comes at the next lock, hypercall or block of its vCPU, or at once when it idles. Determinism
// is not the aim here: speed is, and what ThreadSanitizer says.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "xenrig/platform/machine.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::threads {

class ThreadCpu;
class TimerThread;

class ThreadMachine final : public Machine {
public:
    /// The calling thread may use locks and wake tasks, but not wait.
    ThreadMachine();
    /// Ends all vCPUs.
    ~ThreadMachine() override;

    /// Waits until every work task has finished. False when `patience` of real time went by first.
    bool wait_for_work(Nanoseconds patience);
    /// What every vCPU and task does right now, as far as can be said from outside.
    std::string state() const;

    /// What a thread that is no vCPU sets as its `scheduler`, to use locks and to wake tasks.
    Scheduler& outside() { return *outside_; }

    Cpu& add_cpu(std::string name) override;
    void remove_cpu(Cpu& cpu) override;
    Nanoseconds now() const override;
    TimerId at(Nanoseconds deadline, std::function<void()> fire) override;
    bool cancel(TimerId) override;
    void enter_hypervisor() override;
    void leave_hypervisor() override;
    std::uint32_t pick(std::uint32_t, std::uint32_t) override { return 0; }
    std::uint32_t add_stream(std::string) override { return 0; }
    void trace(const char*, std::uint64_t, std::uint64_t, std::uint64_t) override {}

private:
    friend class ThreadCpu;
    void work_began();
    void work_ended();

    std::unique_ptr<Scheduler> outside_;
    std::unique_ptr<TimerThread> timers_;
    mutable std::mutex cpus_lock_;
    std::vector<std::unique_ptr<ThreadCpu>> cpus_;
    std::atomic<std::uint64_t> unfinished_work_{0};
    /// A ticket of one: a spin lock, because the hypervisor is left again within microseconds.
    std::atomic<bool> hypervisor_taken_{false};
};

}  // namespace xenrig::threads
