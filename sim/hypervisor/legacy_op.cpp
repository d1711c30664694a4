// Hypercalls of before 2005 (x86/compat.c): event_channel_op, sched_op and physdev_op with the operation's number in
// front of its struct. They lead to those of today; only PV guests have them.
#include <array>
#include <cstring>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/compat.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// The number, as a hypercall of today takes it, and where its struct begins; the whole struct must be readable.
template <std::size_t bytes>
std::int64_t lead_on(Call& call, unsigned number, std::size_t argument_at, std::uint32_t last) {
    std::array<std::byte, bytes> whole;
    std::uint32_t operation = 0;
    if (!call.fetch(whole, 0)) return -error(Errno::fault);
    std::memcpy(&operation, whole.data(), sizeof operation);
    if (operation > last) return -error(Errno::nosys);
    const HypercallArgs args{operation, call.arg(0) + argument_at};
    Call today{call.host, call.domain, call.vcpu, call.guest.caller(), args};
    return invoke(today, number);
}

}  // namespace

std::int64_t event_channel_op_compat(Call& call) {
    return lead_on<sizeof(evtchn_op_t)>(call, __HYPERVISOR_event_channel_op, offsetof(evtchn_op_t, u), EVTCHNOP_unmask);
}

std::int64_t physdev_op_compat(Call& call) {
    constexpr std::uint32_t kAny = ~0u;
    // Its union's pointers are words of the caller's.
    if (call.domain.config.bits == 32) return lead_on<16>(call, __HYPERVISOR_physdev_op, 4, kAny);
    return lead_on<sizeof(physdev_op_t)>(call, __HYPERVISOR_physdev_op, offsetof(physdev_op_t, u), kAny);
}

std::int64_t sched_op_compat(Call& call) {
    const auto operation = static_cast<std::uint32_t>(call.arg(0));
    switch (operation) {
        case SCHEDOP_yield:
        case SCHEDOP_block: {
            const HypercallArgs args{operation};
            Call today{call.host, call.domain, call.vcpu, call.guest, args};
            return sched_op(today);
        }
        case SCHEDOP_shutdown:
            call.host.shut_down(call.domain, static_cast<std::uint8_t>(call.arg(1)), &call.vcpu);
            return 0;
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
