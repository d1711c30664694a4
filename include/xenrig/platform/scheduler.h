// What a task stands on while it runs: the seam between locks and wait queues (lock.h, wait_queue.h) and whoever
// switches tasks: the deterministic world, or a vCPU's own thread.
//
// One a thread; null outside any. All calls concern the calling task, except wake().
#pragma once

#include <cstdint>
#include <source_location>
#include <string_view>

#include "xenrig/abi/types.h"
#include "xenrig/platform/cpu.h"

namespace xenrig {

class WaitQueue;

/// A step that others may come before: what the world is told at a choice point that is no shared access.
enum class Step : std::uint8_t { lock, unlock, irq_lock, irq_unlock, wait, wake, hypercall, yield };

class Scheduler {
public:
    virtual ~Scheduler() = default;

    /// Null in an engine callback.
    virtual Task* current_task() = 0;
    virtual Cpu* current_cpu() = 0;
    virtual bool in_upcall() = 0;

    /// A choice point. `object` names what the step is about, by a number that is the same in every run.
    virtual void point(Step step, std::uint64_t object) = 0;

    /// Blocks the task until wake(). A wake that came since the last park is taken at once. `on` says for what
    /// (reports).
    virtual void park(const WaitQueue& on) = 0;
    virtual void wake(Task& task) = 0;
    /// Lets others run first.
    virtual void yield() = 0;
    /// A spinning vCPU: nothing of it runs until another has had its turn. The holder is named for the report.
    virtual void spin(std::string_view lock, const Task* holder) = 0;

    /// Disables upcalls and task switches on this vCPU; true when they were enabled.
    virtual bool irq_save() = 0;
    virtual void irq_restore(bool enabled) = 0;

    /// For lock order and context checks; the threaded platform ignores them.
    virtual void lock_taken(const void* lock, std::string_view name, bool spins) = 0;
    virtual void lock_dropped(const void* lock) = 0;
    /// Is the calling task being unwound because its domain died? Then nothing may block.
    virtual bool unwinding() = 0;
    /// Between defer_unwinding(true) and (false), pairs that nest, a block of a task whose domain died returns like a
    /// spurious wake instead of unwinding: for destructors that wait, whose condition must then include that death.
    virtual void defer_unwinding(bool on) = 0;

    virtual Nanoseconds now() = 0;

    /// The caller computes for so long. Time passes by it where processors are counted, and then others may take the
    /// processor and upcalls come in the middle.
    virtual void work(Nanoseconds /*duration*/) {}
    /// Is the task what its vCPU runs, as far as its own kernel can tell? The vCPU may have no processor.
    virtual bool on_vcpu(const Task& /*task*/) { return false; }
};

/// The scheduler that runs on this thread.
inline constinit thread_local Scheduler* scheduler = nullptr;

}  // namespace xenrig
