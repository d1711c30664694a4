#include "sim/hypervisor/dispatch.h"

#include <utility>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/compat.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::hypervisor {

namespace {

/// What a trace knows of the caller.
std::uint64_t caller_word(const Vcpu& v, unsigned number) {
    return std::uint64_t{v.domain.id.value} << 32 | std::uint64_t{v.id.value} << 16 | number;
}

std::int64_t refuse(Vcpu& caller, unsigned number) {
    ++caller.domain.counts.refused;
    ++caller.host.counts.refused;
    if (caller.host.observer) [[unlikely]]
        caller.host.observer->hypercall_refused(caller.domain.id, caller.id, number);
    return -error(Errno::perm);
}

/// What a hypercall answered, and what its vCPU waits for before it returns to the guest.
struct Performed {
    std::int64_t result;
    /// The vCPU's runner as it was inside the hypervisor: a domain that moves away takes it along.
    Cpu* waits = nullptr;
    bool shut_down = false;
};

Performed perform(Vcpu& caller, GuestAccess& guest, unsigned number, const HypercallArgs& args) {
    Host& host = caller.host;
    const InHypervisor inside(host.machine);
    Domain& domain = caller.domain;
    if (domain.dying()) return {refuse(caller, number)};

    const auto slot = number < host.counts.by_number.size() ? number : host.counts.by_number.size() - 1;
    ++domain.counts.by_number[slot];
    ++host.counts.by_number[slot];
    if (host.observer) [[unlikely]]
        host.observer->hypercall_begins(domain.id, caller.id, number, args);

    Call call{host, domain, caller, guest, args};
    const auto fault = host.fault ? host.fault(domain.id, number, args, guest) : std::nullopt;
    const std::int64_t result = fault ? *fault : invoke(call, number);

    if (host.observer) [[unlikely]]
        host.observer->hypercall_ends(domain.id, caller.id, number, args, result);
    host.machine.trace("hypercall", caller_word(caller, number), args[0], static_cast<std::uint64_t>(result));
    const bool shut_down = !caller.shutdown_over;
    return {result, shut_down || caller.blocked ? caller.cpu : nullptr, shut_down};
}

}  // namespace

bool may_target(const Domain& from, const Domain& to) {
    return &from == &to || from.privileged() || from.target == &to;
}

bool may_be_guests(const Domain& d, std::uint64_t address) {
    constexpr std::uint64_t kLowerHalf = std::uint64_t{1} << 47;
    return d.translated() || d.config.bits == 32 || address < kLowerHalf || address >= HYPERVISOR_VIRT_END;
}

/// Those that few guests ever make.
static Handler handler_of_few(unsigned number) {
    switch (number) {
        case __HYPERVISOR_event_channel_op_compat:
            return event_channel_op_compat;
        case __HYPERVISOR_physdev_op_compat:
            return physdev_op_compat;
        case __HYPERVISOR_sched_op_compat:
            return sched_op_compat;
        case __HYPERVISOR_set_debugreg:
            return set_debugreg;
        case __HYPERVISOR_get_debugreg:
            return get_debugreg;
        case __HYPERVISOR_nmi_op:
            return nmi_op;
        case __HYPERVISOR_platform_op:
            return platform_op;
        case __HYPERVISOR_arch_0:
            return machine_check;
        case __HYPERVISOR_kexec_op:
            return kexec_op;
        case __HYPERVISOR_xenoprof_op:
            return xenoprof_op;
        case __HYPERVISOR_xenpmu_op:
            return xenpmu_op;
        case __HYPERVISOR_hypfs_op:
            return hypfs_op;
        case __HYPERVISOR_dm_op:
            return dm_op;
        case __HYPERVISOR_arch_1:
            return paging_domctl_cont;
        default:
            return nullptr;
    }
}

Handler handler_of(unsigned number) {
    switch (number) {
        case __HYPERVISOR_memory_op:
            return memory_op;
        case __HYPERVISOR_multicall:
            return multicall;
        case __HYPERVISOR_set_timer_op:
            return set_timer_op;
        case __HYPERVISOR_xen_version:
            return xen_version;
        case __HYPERVISOR_console_io:
            return console_io;
        case __HYPERVISOR_grant_table_op:
            return grant_table_op;
        case __HYPERVISOR_vcpu_op:
            return vcpu_op;
        case __HYPERVISOR_sched_op:
            return sched_op;
        case __HYPERVISOR_callback_op:
            return callback_op;
        case __HYPERVISOR_event_channel_op:
            return event_channel_op;
        case __HYPERVISOR_hvm_op:
            return hvm_op;
        case __HYPERVISOR_set_trap_table:
            return set_trap_table;
        case __HYPERVISOR_mmu_update:
            return mmu_update;
        case __HYPERVISOR_set_gdt:
            return set_gdt;
        case __HYPERVISOR_stack_switch:
        case __HYPERVISOR_set_callbacks:
        case __HYPERVISOR_fpu_taskswitch:
            return accepted_of_pv;
        case __HYPERVISOR_update_descriptor:
            return update_descriptor;
        case __HYPERVISOR_update_va_mapping:
            return update_va_mapping;
        case __HYPERVISOR_update_va_mapping_otherdomain:
            return update_va_mapping_otherdomain;
        case __HYPERVISOR_set_segment_base:
            return set_segment_base;
        case __HYPERVISOR_mmuext_op:
            return mmuext_op;
        case __HYPERVISOR_sysctl:
            return sysctl;
        case __HYPERVISOR_domctl:
            return domctl;
        case __HYPERVISOR_vm_assist:
            return vm_assist;
        case __HYPERVISOR_physdev_op:
            return physdev_op;
        default:
            return handler_of_few(number);
    }
}

std::int64_t dispatch(Vcpu& caller, GuestAccess& guest, unsigned number, const HypercallArgs& first) {
    HypercallArgs args = first;
    for (;;) {
        if (scheduler) {
            const bool unwound_before = scheduler->unwinding();
            scheduler->point(Step::hypercall, number);
            // Its domain died before it came to the call, which so was never made.
            if (!unwound_before && scheduler->unwinding()) return -error(Errno::srch);
        }
        const Performed done = perform(caller, guest, number, args);
        const auto rest = std::exchange(caller.continuation, std::nullopt);
        // The waits come after the lock was dropped: a halted vCPU may be unwound and never come back here.
        if (done.waits && done.shut_down)
            done.waits->halt("shutdown", [&caller] { return caller.shutdown_over.load(); });
        else if (done.waits)
            done.waits->halt("block", [&caller] { return !caller.blocked.load(); });
        if (!rest) return done.waits && done.shut_down ? caller.shutdown_answer.load() : done.result;
        // The guest's instruction pointer was set back to the call, with what is left of it as arguments.
        args = *rest;
    }
}

}  // namespace xenrig::hypervisor
