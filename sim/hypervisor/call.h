// One hypercall on its way: who called, with what, and how its memory is reached. Every handler takes one.
#pragma once

#include <cstdint>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/guest_access.h"
#include "xenrig/abi/hypercall.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class Domain;
class Host;
class Vcpu;

struct Call {
    Host& host;
    Domain& domain;
    Vcpu& vcpu;
    GuestAccess& guest;
    const HypercallArgs& args;

    std::uint64_t arg(std::size_t i) const { return args[i]; }
    /// The second argument as the pointer to the operation's struct.
    template <class T>
    [[nodiscard]] bool fetch(T& op, std::size_t i = 1) {
        return guest.fetch(op, args[i]);
    }
    template <class T>
    [[nodiscard]] bool put(const T& op, std::size_t i = 1) {
        return guest.put(args[i], op);
    }
};

/// May `from` do to `to` what is its own or a control domain's to do (XSM_TARGET of the default policy)?
bool may_target(const Domain& from, const Domain& to);

/// Of a PV guest's pointer to several structs, before any is read (access_ok, array_access_ok): it does not point to
/// where the hypervisor is. 32 bits can't; what is asked of their lists is asked where they are translated (compat.h).
bool may_be_guests(const Domain& d, std::uint64_t address);

using Handler = std::int64_t (*)(Call&);
/// Null where Xen answers ENOSYS to everybody.
Handler handler_of(unsigned number);
/// False where Xen answers ENOSYS to a domain of this kind; `operation` is the first argument.
bool has_hypercall(const Domain& d, unsigned number, std::uint64_t operation);

std::int64_t event_channel_op(Call& call);
std::int64_t grant_table_op(Call& call);
std::int64_t memory_op(Call& call);
std::int64_t hvm_op(Call& call);
std::int64_t xen_version(Call& call);
std::int64_t vcpu_op(Call& call);
std::int64_t sched_op(Call& call);
std::int64_t set_timer_op(Call& call);
std::int64_t console_io(Call& call);
std::int64_t callback_op(Call& call);
std::int64_t set_callbacks(Call& call);
std::int64_t multicall(Call& call);
std::int64_t mmu_update(Call& call);
std::int64_t update_va_mapping(Call& call);
std::int64_t update_va_mapping_otherdomain(Call& call);
std::int64_t mmuext_op(Call& call);
std::int64_t set_gdt(Call& call);
std::int64_t update_descriptor(Call& call);
std::int64_t set_segment_base(Call& call);
std::int64_t set_trap_table(Call& call);
std::int64_t accepted_of_pv(Call& call);
std::int64_t domctl(Call& call);
std::int64_t sysctl(Call& call);
std::int64_t vm_assist(Call& call);
std::int64_t physdev_op(Call& call);
// legacy_op.cpp
std::int64_t event_channel_op_compat(Call& call);
std::int64_t physdev_op_compat(Call& call);
std::int64_t sched_op_compat(Call& call);
// processor_op.cpp
std::int64_t set_debugreg(Call& call);
std::int64_t get_debugreg(Call& call);
std::int64_t nmi_op(Call& call);
// machine_op.cpp
std::int64_t platform_op(Call& call);
std::int64_t machine_check(Call& call);
std::int64_t kexec_op(Call& call);
std::int64_t xenoprof_op(Call& call);
std::int64_t xenpmu_op(Call& call);
std::int64_t hypfs_op(Call& call);
std::int64_t dm_op(Call& call);
std::int64_t paging_domctl_cont(Call& call);

}  // namespace xenrig::hypervisor
