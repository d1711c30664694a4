// What a vCPU did with its time, as its guest reads it (vcpu.h: vcpu_runstate_info, RUNSTATE_*): running, waiting for a
// processor (steal time), blocked, or offline. And the clock that Xen keeps in vcpu_info (xen.h: vcpu_time_info).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class GuestAccess;

class RunStates {
public:
    explicit RunStates(Nanoseconds born) : entered_(born) {}

    int state() const { return state_; }
    /// False when it is in that state already.
    bool enter(int state, Nanoseconds now);
    /// The times of all states up to `now`.
    vcpu_runstate_info_t info(Nanoseconds now) const;
    /// How often it came into each state, and how often from running to runnable.
    const std::array<std::uint64_t, 4>& entered() const { return entries_; }
    std::uint64_t preempted() const { return preempted_; }

private:
    int state_ = RUNSTATE_offline;
    Nanoseconds entered_;
    std::array<std::uint64_t, 4> time_{}, entries_{};
    std::uint64_t preempted_ = 0;
};

/// A place in the guest's memory that Xen writes to whenever its vCPU gets or loses a processor.
struct GuestArea {
    /// Null: none is registered, or the caller's memory can't be reached after the call.
    GuestAccess* access = nullptr;
    std::uint64_t address = 0;
    /// The width of the word of who registered it.
    unsigned bits = 64;
};

/// Writes the whole of it; that the guest has taken its memory away is its own loss.
void write_runstate(const GuestArea& area, const vcpu_runstate_info_t& info);

/// With VMASST_TYPE_runstate_update_flag: state_entry_time has XEN_RUNSTATE_UPDATE set while the rest changes.
void update_runstate_area(const GuestArea& area, const vcpu_runstate_info_t& info, bool flagged);

/// The simulated machine's time stamp counter counts nanoseconds.
vcpu_time_info_t time_info(Nanoseconds now, std::uint32_t version);
/// `version` is odd while the rest changes. Into a vcpu_info.
void update_time(std::byte* vcpu_info, Nanoseconds now);
/// The same into a guest's area.
void update_time_area(const GuestArea& area, Nanoseconds now, std::uint32_t& version);

}  // namespace xenrig::hypervisor
