// Locks of a guest kernel. Lock is held across blocking calls by a task; IrqLock is held for a few lines, with upcalls
// off, by tasks and upcalls alike.
//
// Rules, reported when broken: no Lock in an upcall or under an IrqLock; no waiting under an IrqLock; no order A, B
// here and B, A there. Both are choice points, at lock and at unlock. Locks are not recursive.
//
// A task that is being unwound because its domain died never waits: what another task holds it passes by, and its
// unlock of what it doesn't hold does nothing. So guards may be unwound out of a WaitQueue::wait().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace xenrig {

class Task;
class WaitQueue;

class Lock {
public:
    /// `name` is for reports, and for lock order: locks of one name are of one class.
    explicit Lock(std::string name);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    void lock();
    void unlock();

private:
    std::string name_;
    std::uint64_t number_;
    std::atomic<Task*> holder_{nullptr};
    std::unique_ptr<WaitQueue> waiters_;
};

class IrqLock {
public:
    explicit IrqLock(std::string name);
    IrqLock(const IrqLock&) = delete;
    IrqLock& operator=(const IrqLock&) = delete;

    void lock();
    void unlock();

private:
    std::string name_;
    std::uint64_t number_;
    std::atomic<Task*> holder_{nullptr};
    /// The holder's, under the lock.
    bool irqs_were_on_ = false;
};

}  // namespace xenrig
