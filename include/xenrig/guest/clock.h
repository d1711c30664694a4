// The guest's clock: the machine's time, and timers that fire like an interrupt on the vCPU that set them.
//
// Timers belong to the guest, not to the domain: one that comes due during a migration fires after it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "xenrig/guest/domain_link.h"
#include "xenrig/platform/clock.h"

namespace xenrig::guest {

class GuestClock final : public Clock {
public:
    GuestClock(DomainLink& link, Machine& machine);
    ~GuestClock() override;

    Nanoseconds now() override { return machine_.now(); }
    TimerId at(Nanoseconds deadline, std::function<void()> fire) override;
    bool cancel(TimerId timer) override;

    /// Has a timer of this vCPU come due? No choice point.
    bool due(VcpuId vcpu) const { return due_[vcpu.value].load(std::memory_order_acquire) != 0; }
    /// Runs what has, as part of an upcall.
    void run_due(VcpuId vcpu);
    /// The domain died: nothing fires any more.
    void stop();

private:
    struct Timer {
        VcpuId vcpu;
        std::function<void()> fire;
        TimerId machine_timer{};
        bool due = false;
    };
    void expired(std::uint64_t id);

    DomainLink& link_;
    Machine& machine_;
    /// Held without a choice point inside: the machine calls expired() from outside any vCPU.
    std::mutex mutex_;
    std::map<std::uint64_t, Timer> timers_;
    std::uint64_t made_ = 0;
    bool stopped_ = false;
    std::vector<std::atomic<std::uint32_t>> due_;
};

}  // namespace xenrig::guest
