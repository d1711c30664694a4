// What runs tasks and takes upcalls: a vCPU as the code inside a guest, the hypervisor and the store daemon know it.
//
// Two kinds exist: the deterministic world's (sim/engine: fibers, every switch a choice) and the threaded platform's
// (src/threads: one OS thread each). Tasks never leave their vCPU. An upcall runs on top of whatever task it
// interrupts, never nests, and never blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "xenrig/abi/types.h"

namespace xenrig {

/// `service`: waiting for something to do is its normal state. A `work` task that waits when all is quiet is a bug.
enum class TaskRole : std::uint8_t { work, service };

/// A thread of control inside a guest. Known by reference; owned by its vCPU.
class Task {
public:
    virtual ~Task() = default;
    virtual const std::string& name() const = 0;
    virtual TaskRole role() const = 0;
    virtual bool finished() const = 0;
};

/// Where events enter a vCPU: implemented by the guest's kernel.
class Upcall {
public:
    virtual ~Upcall() = default;
    /// Would Xen deliver now (pending and not masked)? Looks without being seen: no choice point.
    virtual bool pending() = 0;
    /// The guest's entry point. Runs with upcalls disabled.
    virtual void deliver() = 0;
};

/// Who hears when a vCPU begins and ceases to have something to run: its hypervisor's scheduler (sched/core.c:
/// vcpu_wake, vcpu_block). Called wherever that happens: it may place vCPUs, and must not block.
class RunListener {
public:
    virtual ~RunListener() = default;
    virtual void has_work(bool any) = 0;
    /// The runner is about to end.
    virtual void runner_ends() = 0;
};

class Cpu {
public:
    virtual ~Cpu() = default;

    virtual const std::string& name() const = 0;

    /// Starts a task; it runs when the scheduler picks it. May be called from outside any task.
    virtual Task& spawn(std::string name, TaskRole role, std::function<void()> body) = 0;

    /// Null takes it away. The object must outlive the vCPU or be taken away first.
    virtual void set_upcall(Upcall* upcall) = 0;

    /// Something may have become pending, or a halt's condition true: look again. From any context.
    virtual void kick() = 0;

    /// Stops the calling vCPU, all its tasks with it, until `over()` holds; looked at after each kick, and once now.
    /// What SCHEDOP_block, poll and shutdown do to their caller. Not from an upcall unless the guest is going down.
    virtual void halt(const char* why, const std::function<bool()>& over) = 0;

    /// A paused vCPU runs nothing, wherever it stands. Counted: as many unpauses as pauses let it run again. Its own
    /// pause takes effect at its next choice point.
    virtual void pause() = 0;
    virtual void unpause() = 0;

    /// From now on `listener` hears of this vCPU, now for the first time. On a `counted` processor every step takes
    /// time, and nothing runs before place(). False: nobody will hear anything, as on the threaded platform, whose time
    /// is real.
    virtual bool set_run_listener(RunListener* /*listener*/, bool /*counted*/) { return false; }
    /// No more, unless another hears by now.
    virtual void drop_run_listener(RunListener* /*listener*/) {}
    /// Onto a processor, or off it wherever it stands: in the middle of a function, with locks held.
    virtual void place(bool /*on_processor*/) {}

    /// The vCPU runs no step of the guest's any more, and this returns when that is so; what is left is to kill it.
    /// From outside the guest's vCPUs only.
    virtual void freeze() = 0;

    /// Ends all tasks by unwinding their stacks, in the order of their birth. Choice points do nothing meanwhile.
    /// From outside this vCPU only. To end a guest: freeze all its vCPUs, end its epoch, kill them.
    virtual void kill() = 0;
};

}  // namespace xenrig
