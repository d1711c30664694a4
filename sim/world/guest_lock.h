// The locks of a guest's kernel in the locking experiment, on the platform's own.
//
// spin: an IrqLock. block: a task that finds the lock taken sleeps until its holder lets it go. adaptive: the same, but
// while the holder runs, as far as the guest's kernel can tell, it spins (FreeBSD's kern_mutex.c: TD_IS_RUNNING). Who
// sleeps on another vCPU is woken by an event to that vCPU, as by any kernel's IPI.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"
#include "xenrig/world/scenario.h"

namespace xenrig::world {

class GuestLock {
public:
    /// `kick(vcpu)`: sends that vCPU an event, upon which it calls woken().
    GuestLock(LockKind kind, unsigned vcpus, std::function<void(unsigned)> kick);

    void lock(unsigned vcpu);
    void unlock(unsigned vcpu);
    /// In the upcall on a vCPU that was kicked.
    void woken(unsigned vcpu);

    std::uint64_t contended() const { return contended_; }
    std::uint64_t sleeps() const { return sleeps_; }

private:
    struct Sleeper {
        unsigned vcpu = 0;
        bool asleep = true;
    };

    void sleep(unsigned vcpu);

    const LockKind kind_;
    std::function<void(unsigned)> kick_;
    IrqLock spin_{"guest's lock"};
    std::atomic<Task*> holder_{nullptr};
    IrqLock queue_lock_{"sleepers of the guest's lock"};
    std::deque<std::shared_ptr<Sleeper>> sleepers_;
    /// One a vCPU.
    std::vector<std::unique_ptr<WaitQueue>> queues_;
    std::uint64_t contended_ = 0, sleeps_ = 0;
};

}  // namespace xenrig::world
