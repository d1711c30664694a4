#include "clock.h"

namespace xenrig::host {

TimerId HostClock::at(Nanoseconds deadline, std::function<void()> fire) {
    UpcallQueue& here = upcalls_.here();
    const std::lock_guard held(lock_);
    const std::uint64_t id = ++made_;
    Timer& timer = timers_[id];
    timer.fire = std::move(fire);
    timer.machine_timer = machine_.at(deadline, [this, id, &here] { here.post([this, id] { expired(id); }); });
    return TimerId{id};
}

void HostClock::expired(std::uint64_t id) {
    std::function<void()> fire;
    {
        const std::lock_guard held(lock_);
        const auto found = timers_.find(id);
        if (found == timers_.end()) return;
        fire = std::move(found->second.fire);
        timers_.erase(found);
    }
    fire();
}

bool HostClock::cancel(TimerId timer) {
    Timer dropped;
    const std::lock_guard held(lock_);
    const auto found = timers_.find(static_cast<std::uint64_t>(timer));
    if (found == timers_.end()) return false;
    dropped = std::move(found->second);
    timers_.erase(found);
    machine_.cancel(dropped.machine_timer);
    return true;
}

}  // namespace xenrig::host
