#include "sim/hypervisor/runstate.h"

#include <cstring>
#include <utility>

#include "sim/hypervisor/guest_access.h"
#include "xenrig/abi/shared_layout.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

bool RunStates::enter(int state, Nanoseconds now) {
    if (state == state_) return false;
    time_[static_cast<std::size_t>(state_)] += (now - entered_).value;
    if (state_ == RUNSTATE_running && state == RUNSTATE_runnable) ++preempted_;
    ++entries_[static_cast<std::size_t>(state)];
    state_ = state;
    entered_ = now;
    return true;
}

vcpu_runstate_info_t RunStates::info(Nanoseconds now) const {
    vcpu_runstate_info_t info{};
    info.state = state_;
    info.state_entry_time = entered_.value;
    std::memcpy(info.time, time_.data(), sizeof info.time);
    info.time[state_] += (now - entered_).value;
    return info;
}

namespace {

/// An i386 has no hole before the first number of 64 bits (vcpu.h).
constexpr std::size_t kEntryTime64 = offsetof(vcpu_runstate_info_t, state_entry_time), kEntryTime32 = 4;

}  // namespace

void write_runstate(const GuestArea& area, const vcpu_runstate_info_t& info) {
    if (area.bits == 64) return static_cast<void>(area.access->put(area.address, info));
    std::array<std::byte, sizeof info - (kEntryTime64 - kEntryTime32)> narrow;
    const auto* from = reinterpret_cast<const std::byte*>(&info);
    std::memcpy(narrow.data(), from, kEntryTime32);
    std::memcpy(narrow.data() + kEntryTime32, from + kEntryTime64, sizeof info - kEntryTime64);
    static_cast<void>(area.access->copy_to_guest(area.address, narrow.data(), narrow.size()));
}

void update_runstate_area(const GuestArea& area, const vcpu_runstate_info_t& info, bool flagged) {
    if (!area.access) return;
    if (!flagged) return write_runstate(area, info);
    vcpu_runstate_info_t marked = info;
    marked.state_entry_time |= XEN_RUNSTATE_UPDATE;
    const std::uint64_t at = area.address + (area.bits == 64 ? kEntryTime64 : kEntryTime32);
    if (!area.access->put(at, marked.state_entry_time)) return;
    write_runstate(area, marked);
    static_cast<void>(area.access->put(at, info.state_entry_time));
}

vcpu_time_info_t time_info(Nanoseconds now, std::uint32_t version) {
    vcpu_time_info_t time{};
    time.version = version;
    time.tsc_timestamp = now.value;
    time.system_time = now.value;
    // (ticks << 1) * 2^31 >> 32: a tick is a nanosecond.
    time.tsc_shift = 1;
    time.tsc_to_system_mul = 1u << 31;
    return time;
}

void update_time(std::byte* vcpu_info, Nanoseconds now) {
    std::byte* const at = vcpu_info + kVcpuTime;
    const auto version = shared::raw::load<std::uint32_t>(at + offsetof(vcpu_time_info_t, version));
    const vcpu_time_info_t time = time_info(now, (version | 1) + 1);
    shared::raw::store<std::uint32_t>(at, time.version - 1);
    constexpr std::size_t kBody = offsetof(vcpu_time_info_t, tsc_timestamp);
    shared::raw::copy_to_page(at + kBody, reinterpret_cast<const std::byte*>(&time) + kBody, sizeof time - kBody);
    shared::raw::store<std::uint32_t>(at, time.version);
}

void update_time_area(const GuestArea& area, Nanoseconds now, std::uint32_t& version) {
    if (!area.access) return;
    const vcpu_time_info_t time = time_info(now, version += 2);
    vcpu_time_info_t marked = time;
    marked.version = version - 1;
    if (area.access->put(area.address, marked)) static_cast<void>(area.access->put(area.address, time.version));
}

}  // namespace xenrig::hypervisor
