#include "sim/world/guest_lock.h"

#include <algorithm>
#include <mutex>

#include "xenrig/platform/scheduler.h"

namespace xenrig::world {

namespace {

constexpr const char* kName = "guest's lock";
/// Its number for choice points.
constexpr std::uint64_t kNumber = 0x10c4;

}  // namespace

GuestLock::GuestLock(LockKind kind, unsigned vcpus, std::function<void(unsigned)> kick)
    : kind_(kind), kick_(std::move(kick)) {
    for (unsigned v = 0; v < vcpus; ++v)
        queues_.push_back(std::make_unique<WaitQueue>("guest's lock on vCPU " + std::to_string(v)));
}

void GuestLock::lock(unsigned vcpu) {
    if (holder_.load(std::memory_order_relaxed)) ++contended_;
    if (kind_ == LockKind::spin) {
        spin_.lock();
        holder_ = scheduler->current_task();
        return;
    }
    for (;;) {
        scheduler->point(Step::lock, kNumber);
        Task* holder = nullptr;
        if (holder_.compare_exchange_strong(holder, scheduler->current_task())) break;
        if (kind_ == LockKind::adaptive && scheduler->on_vcpu(*holder))
            scheduler->spin(kName, holder);
        else
            sleep(vcpu);
    }
    scheduler->lock_taken(this, kName, false);
}

void GuestLock::sleep(unsigned vcpu) {
    const auto self = std::make_shared<Sleeper>(Sleeper{vcpu});
    const std::lock_guard held(queue_lock_);
    // Unlock empties the holder first and looks at the queue second: here it is the other way round.
    sleepers_.push_back(self);
    if (!holder_.load()) return static_cast<void>(std::erase(sleepers_, self));
    ++sleeps_;
    queues_[vcpu]->wait(queue_lock_, [&] { return !self->asleep; });
}

void GuestLock::unlock(unsigned vcpu) {
    if (kind_ == LockKind::spin) {
        holder_ = nullptr;
        return spin_.unlock();
    }
    scheduler->point(Step::unlock, kNumber);
    scheduler->lock_dropped(this);
    holder_ = nullptr;
    std::shared_ptr<Sleeper> next;
    {
        const std::lock_guard held(queue_lock_);
        if (sleepers_.empty()) return;
        next = sleepers_.front();
        sleepers_.pop_front();
        next->asleep = false;
    }
    next->vcpu == vcpu ? woken(vcpu) : kick_(next->vcpu);
}

void GuestLock::woken(unsigned vcpu) {
    const std::lock_guard held(queue_lock_);
    queues_[vcpu]->wake_all();
}

}  // namespace xenrig::world
