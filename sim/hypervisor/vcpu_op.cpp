// __HYPERVISOR_vcpu_op (domain.c: do_vcpu_op, common_vcpu_op; x86/domain.c: do_vcpu_op). A vCPU of another domain can't
// be named, so rights are no matter.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/shared_words.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// Moves vcpu_info into the guest's own memory, once (domain.c: map_vcpu_info).
std::int64_t register_vcpu_info(Call& call, Vcpu& v) {
    vcpu_register_vcpu_info_t op;
    if (!call.fetch(op, 2)) return -error(Errno::fault);
    const std::size_t alignment = call.domain.layout().word_bits / 8;
    static_assert(alignof(vcpu_info_t) == 8);
    if (op.offset > kPageSize - kVcpuInfoBytes || op.offset % alignment != 0) return -error(Errno::nxio);
    if (v.info_frame) return -error(Errno::inval);
    // Of oneself, or of one that is down.
    if (&v != &call.vcpu && v.up) return -error(Errno::inval);
    const auto mfn = call.host.guest_frame(call.domain, op.mfn);
    if (!mfn || !call.host.page_types.may_be_written(*mfn)) return -error(Errno::inval);
    call.host.memory.get(*mfn);
    v.info_frame = *mfn;
    std::byte* to = call.host.memory.page(*mfn) + op.offset;
    if (v.has_no_info()) {
        std::memset(to, 0, kVcpuInfoBytes);
        to[kUpcallMask] = std::byte{1};
    } else {
        std::memcpy(to, v.info, kVcpuInfoBytes);
    }
    v.info = to;
    call.host.mark_dirty(call.domain, *mfn);
    // Whatever came in on the way must be looked at: everything is pending now.
    for (unsigned word = 0; word < call.domain.layout().word_bits; ++word) v.set_selector(word);
    v.mark_events_pending();
    return 0;
}

/// What the caller's kind of guest describes a new vCPU by (public/arch-x86/xen.h, hvm/hvm_vcpu.h). Of it only its
/// presence matters: code of the guest's is run by the vCPU's runner.
std::size_t context_bytes(const Domain& d) {
    return d.translated() ? sizeof(vcpu_hvm_context_t) : sizeof(vcpu_guest_context_t);
}

std::int64_t initialise(Call& call, Vcpu& v) {
    if (v.has_no_info()) return -error(Errno::inval);
    std::array<std::byte, sizeof(vcpu_guest_context_t)> context;
    static_assert(sizeof context >= sizeof(vcpu_hvm_context_t));
    if (!call.guest.copy_from_guest(context.data(), call.arg(2), context_bytes(call.domain)))
        return -error(Errno::fault);
    if (v.initialised) return -error(Errno::exist);
    v.initialised = true;
    return 0;
}

std::int64_t up(Call& call, Vcpu& v) {
    if (!v.initialised) return -error(Errno::inval);
    call.host.set_up(v, true);
    return 0;
}

/// The last that goes down takes the domain with it.
std::int64_t down(Call& call, Vcpu& v) {
    const auto others_up = [&](const auto& other) { return other.get() != &v && other->up; };
    if (std::none_of(call.domain.vcpus.begin(), call.domain.vcpus.end(), others_up)) {
        call.host.shut_down(call.domain, SHUTDOWN_poweroff, &v == &call.vcpu ? &v : nullptr);
        return 0;
    }
    call.host.set_up(v, false);
    return 0;
}

vcpu_runstate_info_t runstate(Call& call, Vcpu& v) {
    call.host.processors.settle(v);
    return v.runstates.info(call.host.machine.now());
}

std::int64_t get_runstate_info(Call& call, Vcpu& v) {
    return call.put(runstate(call, v), 2) ? 0 : -error(Errno::fault);
}

/// The address in a struct of one handle. That it is not where the hypervisor is, is all that is looked at; what was
/// translated for a 32-bit caller (compat.h) was looked at there.
std::optional<GuestArea> fetch_area(Call& call) {
    std::uint64_t address = 0;
    if (!call.fetch(address, 2)) return std::nullopt;
    const bool as_it_is = &call.guest.caller() == &call.guest;
    if (as_it_is && !may_be_guests(call.domain, address)) return std::nullopt;
    GuestAccess& caller = call.guest.caller();
    return GuestArea{.access = address != 0 ? caller.lasting() : nullptr,
                     .address = call.guest.callers(address),
                     .bits = caller.bits()};
}

/// The area is filled in at once; that it can't be written is no error.
std::int64_t register_runstate_area(Call& call, Vcpu& v) {
    const auto area = fetch_area(call);
    if (!area) return -error(Errno::fault);
    v.runstate_area = *area;
    if (area->address != 0) write_runstate({&call.guest.caller(), area->address, area->bits}, runstate(call, v));
    return 0;
}

std::int64_t register_time_area(Call& call, Vcpu& v) {
    const auto area = fetch_area(call);
    if (!area) return -error(Errno::fault);
    v.time_area = *area;
    update_time_area({area->address != 0 ? &call.guest.caller() : nullptr, area->address, area->bits},
                     call.host.machine.now(), v.time_version);
    return 0;
}

void arm_periodic(Vcpu& v, Nanoseconds period) {
    v.set_timer(v.periodic_timer, v.host.machine.now() + period, [&v, period] {
        v.domain.events.raise_virq(v.id, VIRQ_TIMER);
        arm_periodic(v, period);
    });
}

std::int64_t set_periodic_timer(Call& call, Vcpu& v) {
    constexpr std::uint64_t kShortest = (1_ms).value, kLongest = ~std::uint64_t{0} >> 2;
    vcpu_set_periodic_timer_t op;
    if (!call.fetch(op, 2)) return -error(Errno::fault);
    if (op.period_ns < kShortest || op.period_ns > kLongest) return -error(Errno::inval);
    arm_periodic(v, Nanoseconds{op.period_ns});
    return 0;
}

/// Xen does not look at VCPU_SSHOTTMR_future: what is past fires at once.
std::int64_t set_singleshot_timer(Call& call, Vcpu& v) {
    vcpu_set_singleshot_timer_t op;
    if (&v != &call.vcpu) return -error(Errno::inval);
    if (!call.fetch(op, 2)) return -error(Errno::fault);
    v.set_singleshot_timer(Nanoseconds{op.timeout_abs_ns});
    return 0;
}

std::int64_t stop_singleshot_timer(Call& call, Vcpu& v) {
    if (&v != &call.vcpu) return -error(Errno::inval);
    v.cancel(v.singleshot_timer);
    return 0;
}

/// ACPI's and the local APIC's number of the processor that the control domain's vCPU is pinned to; where there is but
/// one, it always is (is_hwdom_pinned_vcpu).
std::int64_t get_physid(Call& call, const Vcpu& v) {
    const bool pinned = v.unit.pinned || call.host.processors.count() == 1;
    if (!call.domain.privileged() || !pinned) return -error(Errno::inval);
    const std::uint64_t processor = v.unit.pinned.value_or(0);
    return call.put(processor << 32 | processor, 2) ? 0 : -error(Errno::fault);
}

}  // namespace

std::int64_t vcpu_op(Call& call) {
    const auto op = static_cast<std::int32_t>(call.arg(0));
    Vcpu* v = call.domain.vcpu(VcpuId{static_cast<std::uint32_t>(call.arg(1))});
    if (!v) return -error(Errno::noent);
    switch (op) {
        case VCPUOP_initialise:
            return initialise(call, *v);
        case VCPUOP_up:
            return up(call, *v);
        case VCPUOP_down:
            return down(call, *v);
        case VCPUOP_is_up:
            return v->up ? 1 : 0;
        case VCPUOP_get_runstate_info:
            return get_runstate_info(call, *v);
        case VCPUOP_register_runstate_memory_area:
            return register_runstate_area(call, *v);
        case VCPUOP_set_periodic_timer:
            return set_periodic_timer(call, *v);
        case VCPUOP_stop_periodic_timer:
            v->cancel(v->periodic_timer);
            return 0;
        case VCPUOP_set_singleshot_timer:
            return set_singleshot_timer(call, *v);
        case VCPUOP_stop_singleshot_timer:
            return stop_singleshot_timer(call, *v);
        case VCPUOP_register_vcpu_info:
            return register_vcpu_info(call, *v);
        case VCPUOP_send_nmi:
            return call.arg(2) == 0 ? 0 : -error(Errno::inval);
        case VCPUOP_register_vcpu_time_memory_area:
            return register_time_area(call, *v);
        case VCPUOP_get_physid:
            return get_physid(call, *v);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
