// Which hypercalls a domain without page tables of Xen's making has (x86/hvm/hypercall.c; the columns hvm32 and hvm64
// at the end of xen/include/hypercall-defs.c).
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/xen_abi.h"

#include <xen/physdev.h>

namespace xenrig::hypervisor {

namespace {

/// All others, Xen says, need auditing first.
bool has_grant_operation(std::uint64_t operation) {
    switch (operation) {
        case GNTTABOP_query_size:
        case GNTTABOP_setup_table:
        case GNTTABOP_set_version:
        case GNTTABOP_get_version:
        case GNTTABOP_copy:
        case GNTTABOP_map_grant_ref:
        case GNTTABOP_unmap_grant_ref:
        case GNTTABOP_swap_grant_ref:
            return true;
        default:
            return false;
    }
}

/// Of no use without interrupts that are routed through event channels (has_pirq: not for PVH).
bool has_physdev_operation(const Domain& d, std::uint64_t operation) {
    switch (operation) {
        case PHYSDEVOP_map_pirq:
        case PHYSDEVOP_unmap_pirq:
        case PHYSDEVOP_eoi:
        case PHYSDEVOP_irq_status_query:
        case PHYSDEVOP_get_free_pirq:
            return d.config.type == GuestType::hvm;
        default:
            return false;
    }
}

}  // namespace

bool has_hypercall(const Domain& d, unsigned number, std::uint64_t operation) {
    if (!d.translated()) return true;
    switch (number) {
        case __HYPERVISOR_grant_table_op:
            return has_grant_operation(static_cast<std::uint32_t>(operation));
        case __HYPERVISOR_physdev_op:
            return has_physdev_operation(d, static_cast<std::uint32_t>(operation));
        case __HYPERVISOR_memory_op: {
            const std::uint64_t command = operation & 0x3f;
            return command != XENMEM_machine_memory_map && command != XENMEM_machphys_mapping;
        }
        case __HYPERVISOR_set_trap_table:
        case __HYPERVISOR_mmu_update:
        case __HYPERVISOR_set_gdt:
        case __HYPERVISOR_stack_switch:
        case __HYPERVISOR_set_callbacks:
        case __HYPERVISOR_fpu_taskswitch:
        case __HYPERVISOR_sched_op_compat:
        case __HYPERVISOR_set_debugreg:
        case __HYPERVISOR_get_debugreg:
        case __HYPERVISOR_update_descriptor:
        case __HYPERVISOR_update_va_mapping:
        case __HYPERVISOR_event_channel_op_compat:
        case __HYPERVISOR_physdev_op_compat:
        case __HYPERVISOR_update_va_mapping_otherdomain:
        case __HYPERVISOR_iret:
        case __HYPERVISOR_set_segment_base:
        case __HYPERVISOR_nmi_op:
        case __HYPERVISOR_callback_op:
        case __HYPERVISOR_xenoprof_op:
        case __HYPERVISOR_kexec_op:
        case __HYPERVISOR_arch_0:
            return false;
        default:
            return true;
    }
}

}  // namespace xenrig::hypervisor
