// The machine's monotonic clock; a timer fires as an upcall on the vCPU that set it.
//
// Lifetime: ends after the machine, whose timers it set.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "upcall_queue.h"
#include "xenrig/platform/clock.h"

namespace xenrig::host {

class HostClock final : public Clock {
public:
    HostClock(Machine& machine, UpcallQueues& upcalls) : machine_(machine), upcalls_(upcalls) {}

    Nanoseconds now() override { return machine_.now(); }
    TimerId at(Nanoseconds deadline, std::function<void()> fire) override;
    bool cancel(TimerId timer) override;

private:
    struct Timer {
        std::function<void()> fire;
        TimerId machine_timer{};
    };
    void expired(std::uint64_t id);

    Machine& machine_;
    UpcallQueues& upcalls_;
    /// Held without a choice point inside.
    std::mutex lock_;
    std::map<std::uint64_t, Timer> timers_;
    std::uint64_t made_ = 0;
};

}  // namespace xenrig::host
