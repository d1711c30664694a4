#include "xenrig/guest/clock.h"

#include "xenrig/platform/cpu.h"

namespace xenrig::guest {

GuestClock::GuestClock(DomainLink& link, Machine& machine) : link_(link), machine_(machine), due_(link.cpus().size()) {}

GuestClock::~GuestClock() { stop(); }

TimerId GuestClock::at(Nanoseconds deadline, std::function<void()> fire) {
    const VcpuId vcpu = link_.vcpu();
    const std::lock_guard held(mutex_);
    const std::uint64_t id = ++made_;
    if (stopped_) return TimerId{id};
    Timer& timer = timers_[id];
    timer.vcpu = vcpu;
    timer.fire = std::move(fire);
    timer.machine_timer = machine_.at(deadline, [this, id] { expired(id); });
    return TimerId{id};
}

void GuestClock::expired(std::uint64_t id) {
    VcpuId vcpu;
    {
        const std::lock_guard held(mutex_);
        const auto found = timers_.find(id);
        if (found == timers_.end()) return;
        found->second.due = true;
        vcpu = found->second.vcpu;
        due_[vcpu.value].fetch_add(1, std::memory_order_release);
    }
    link_.cpus()[vcpu.value]->kick();
}

bool GuestClock::cancel(TimerId timer) {
    std::function<void()> dropped;
    const std::lock_guard held(mutex_);
    const auto found = timers_.find(static_cast<std::uint64_t>(timer));
    if (found == timers_.end()) return false;
    if (found->second.due)
        due_[found->second.vcpu.value].fetch_sub(1, std::memory_order_release);
    else
        machine_.cancel(found->second.machine_timer);
    dropped = std::move(found->second.fire);
    timers_.erase(found);
    return true;
}

void GuestClock::run_due(VcpuId vcpu) {
    while (due(vcpu)) {
        std::function<void()> fire;
        {
            const std::lock_guard held(mutex_);
            auto first = timers_.begin();
            while (first != timers_.end() && !(first->second.due && first->second.vcpu == vcpu)) ++first;
            if (first == timers_.end()) return;
            fire = std::move(first->second.fire);
            timers_.erase(first);
            due_[vcpu.value].fetch_sub(1, std::memory_order_release);
        }
        fire();
    }
}

void GuestClock::stop() {
    std::map<std::uint64_t, Timer> dropped;
    const std::lock_guard held(mutex_);
    for (auto& [id, timer] : timers_)
        if (!timer.due) machine_.cancel(timer.machine_timer);
    for (auto& count : due_) count.store(0, std::memory_order_release);
    dropped.swap(timers_);
    stopped_ = true;
}

}  // namespace xenrig::guest
