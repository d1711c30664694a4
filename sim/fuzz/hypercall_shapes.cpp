#include "sim/fuzz/hypercall_shapes.h"

#include <algorithm>
#include <cstddef>

#include "sim/hypervisor/xen_abi.h"

#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

namespace {

using enum Field;
using enum Passing;

constexpr std::uint8_t kEvents = __HYPERVISOR_event_channel_op, kGrants = __HYPERVISOR_grant_table_op,
                       kMemory = __HYPERVISOR_memory_op, kSched = __HYPERVISOR_sched_op, kVcpu = __HYPERVISOR_vcpu_op,
                       kHvm = __HYPERVISOR_hvm_op, kPhysdev = __HYPERVISOR_physdev_op, kMmuext = __HYPERVISOR_mmuext_op,
                       kDomctl = __HYPERVISOR_domctl, kSysctl = __HYPERVISOR_sysctl;

constexpr Shape kShapes[] = {
    {kEvents, EVTCHNOP_alloc_unbound, op_struct, 8, {{{dom, 0, 2}, {dom, 2, 2}}}},
    {kEvents, EVTCHNOP_bind_interdomain, op_struct, 12, {{{dom, 0, 2}, {port, 4, 4}}}},
    {kEvents, EVTCHNOP_bind_virq, op_struct, 12, {{{any, 0, 4}, {vcpu, 4, 4}}}},
    {kEvents, EVTCHNOP_bind_pirq, op_struct, 12, {{{any, 0, 4}, {any, 4, 4}}}},
    {kEvents, EVTCHNOP_bind_ipi, op_struct, 8, {{{vcpu, 0, 4}}}},
    {kEvents, EVTCHNOP_close, op_struct, 4, {{{port, 0, 4}}}},
    {kEvents, EVTCHNOP_send, op_struct, 4, {{{port, 0, 4}}}},
    {kEvents, EVTCHNOP_status, op_struct, 24, {{{dom, 0, 2}, {port, 4, 4}}}},
    {kEvents, EVTCHNOP_bind_vcpu, op_struct, 8, {{{port, 0, 4}, {vcpu, 4, 4}}}},
    {kEvents, EVTCHNOP_unmask, op_struct, 4, {{{port, 0, 4}}}},
    {kEvents, EVTCHNOP_reset, op_struct, 2, {{{dom, 0, 2}}}},
    {kEvents, EVTCHNOP_init_control, op_struct, 24, {{{frame, 0, 8}, {any, 8, 4}, {vcpu, 12, 4}}}},
    {kEvents, EVTCHNOP_expand_array, op_struct, 8, {{{frame, 0, 8}}}},
    {kEvents, EVTCHNOP_set_priority, op_struct, 8, {{{port, 0, 4}, {any, 4, 4}}}},

    {kGrants, GNTTABOP_map_grant_ref, op_struct_count, 32, {{{linear, 0, 8}, {any, 8, 4}, {ref, 12, 4}, {dom, 16, 2}}}},
    {kGrants, GNTTABOP_unmap_grant_ref, op_struct_count, 24, {{{linear, 0, 8}, {frame, 8, 8}, {handle, 16, 4}}}},
    {kGrants, GNTTABOP_unmap_and_replace, op_struct_count, 24, {{{linear, 0, 8}, {linear, 8, 8}, {handle, 16, 4}}}},
    {kGrants, GNTTABOP_setup_table, op_struct_count, 24, {{{dom, 0, 2}, {count, 4, 4}, {memory, 16, 8}}}},
    {kGrants, GNTTABOP_dump_table, op_struct_count, 4, {{{dom, 0, 2}}}},
    {kGrants, GNTTABOP_transfer, op_struct_count, 24, {{{frame, 0, 8}, {dom, 8, 2}, {ref, 12, 4}}}},
    {kGrants,
     GNTTABOP_copy,
     op_struct_count,
     40,
     {{{ref, 0, 8}, {dom, 8, 2}, {any, 10, 2}, {ref, 16, 8}, {dom, 24, 2}, {any, 26, 2}, {any, 32, 4}}}},
    {kGrants,
     GNTTABOP_copy,
     op_struct_count,
     40,
     {{{frame, 0, 8}, {dom, 8, 2}, {frame, 16, 8}, {dom, 24, 2}, {any, 32, 4}}}},
    {kGrants, GNTTABOP_query_size, op_struct_count, 16, {{{dom, 0, 2}}}},
    {kGrants, GNTTABOP_set_version, op_struct_count, 4, {{{any, 0, 4}}}},
    {kGrants, GNTTABOP_get_status_frames, op_struct_count, 16, {{{count, 0, 4}, {dom, 4, 2}, {memory, 8, 8}}}},
    {kGrants, GNTTABOP_get_version, op_struct_count, 8, {{{dom, 0, 2}}}},
    {kGrants, GNTTABOP_swap_grant_ref, op_struct_count, 12, {{{ref, 0, 4}, {ref, 4, 4}}}},
    {kGrants, GNTTABOP_cache_flush, op_struct_count, 16, {{{frame, 0, 8}, {any, 8, 2}, {any, 10, 2}, {any, 12, 4}}}},

    {kMemory,
     XENMEM_increase_reservation,
     op_struct,
     32,
     {{{memory, 0, 8}, {count, 8, 8}, {any, 16, 1}, {any, 20, 4}, {dom, 24, 2}}}},
    {kMemory,
     XENMEM_decrease_reservation,
     op_struct,
     32,
     {{{memory, 0, 8}, {count, 8, 8}, {any, 16, 1}, {any, 20, 4}, {dom, 24, 2}}}},
    {kMemory,
     XENMEM_populate_physmap,
     op_struct,
     32,
     {{{memory, 0, 8}, {count, 8, 8}, {any, 16, 1}, {any, 20, 4}, {dom, 24, 2}}}},
    {kMemory,
     XENMEM_exchange,
     op_struct,
     72,
     {{{memory, 0, 8}, {count, 8, 8}, {dom, 24, 2}, {memory, 32, 8}, {count, 40, 8}, {any, 48, 1}, {dom, 56, 2}}}},
    {kMemory, XENMEM_maximum_ram_page, op_struct, 8, {}},
    {kMemory, XENMEM_current_reservation, op_struct, 2, {{{dom, 0, 2}}}},
    {kMemory, XENMEM_maximum_gpfn, op_struct, 2, {{{dom, 0, 2}}}},
    {kMemory, XENMEM_machphys_mfn_list, op_struct, 24, {{{count, 0, 4}, {memory, 8, 8}}}},
    {kMemory,
     XENMEM_add_to_physmap,
     op_struct,
     24,
     {{{dom, 0, 2}, {count, 2, 2}, {any, 4, 4}, {frame, 8, 8}, {gfn, 16, 8}}}},
    {kMemory,
     XENMEM_add_to_physmap_batch,
     op_struct,
     32,
     {{{dom, 0, 2}, {any, 2, 2}, {count, 4, 2}, {dom, 6, 2}, {memory, 8, 8}, {memory, 16, 8}, {memory, 24, 8}}}},
    {kMemory, XENMEM_remove_from_physmap, op_struct, 16, {{{dom, 0, 2}, {gfn, 8, 8}}}},
    {kMemory, XENMEM_memory_map, op_struct, 16, {{{count, 0, 4}, {memory, 8, 8}}}},
    {kMemory, XENMEM_set_pod_target, op_struct, 40, {{{any, 0, 8}, {dom, 32, 2}}}},
    {kMemory,
     XENMEM_acquire_resource,
     op_struct,
     32,
     {{{dom, 0, 2}, {any, 2, 2}, {any, 4, 4}, {count, 8, 4}, {any, 16, 8}, {memory, 24, 8}}}},

    {kSched, SCHEDOP_yield, op_struct, 4, {}},
    {kSched, SCHEDOP_block, op_struct, 4, {}},
    {kSched, SCHEDOP_shutdown, op_struct, 4, {{{any, 0, 4}}}},
    {kSched, SCHEDOP_poll, op_struct, 24, {{{memory, 0, 8}, {count, 8, 4}, {any, 16, 8}}}},
    {kSched, SCHEDOP_remote_shutdown, op_struct, 8, {{{dom, 0, 2}, {any, 4, 4}}}},
    {kSched, SCHEDOP_shutdown_code, op_struct, 4, {{{any, 0, 4}}}},
    {kSched, SCHEDOP_watchdog, op_struct, 8, {{{count, 0, 4}, {any, 4, 4}}}},
    {kSched, SCHEDOP_pin_override, op_struct, 4, {{{any, 0, 4}}}},
    {__HYPERVISOR_set_timer_op, 0, registers, 0, {{{any, 0, 8}}}},

    {kVcpu, VCPUOP_initialise, op_vcpu_struct, 64, {}},
    {kVcpu, VCPUOP_up, op_vcpu_struct, 8, {}},
    {kVcpu, VCPUOP_down, op_vcpu_struct, 8, {}},
    {kVcpu, VCPUOP_is_up, op_vcpu_struct, 8, {}},
    {kVcpu, VCPUOP_get_runstate_info, op_vcpu_struct, 48, {}},
    {kVcpu, VCPUOP_register_runstate_memory_area, op_vcpu_struct, 8, {{{memory, 0, 8}}}},
    {kVcpu, VCPUOP_set_periodic_timer, op_vcpu_struct, 8, {{{any, 0, 8}}}},
    {kVcpu, VCPUOP_set_singleshot_timer, op_vcpu_struct, 16, {{{any, 0, 8}, {any, 8, 4}}}},
    {kVcpu, VCPUOP_register_vcpu_info, op_vcpu_struct, 16, {{{frame, 0, 8}, {any, 8, 4}}}},
    {kVcpu, VCPUOP_register_vcpu_time_memory_area, op_vcpu_struct, 8, {{{memory, 0, 8}}}},
    {kVcpu, VCPUOP_send_nmi, op_vcpu_struct, 8, {}},

    {kHvm, HVMOP_set_param, op_struct, 16, {{{dom, 0, 2}, {any, 4, 4}, {any, 8, 8}}}},
    {kHvm, HVMOP_get_param, op_struct, 16, {{{dom, 0, 2}, {any, 4, 4}}}},
    {kHvm, HVMOP_set_evtchn_upcall_vector, op_struct, 8, {{{vcpu, 0, 4}, {any, 4, 1}}}},
    {kPhysdev, PHYSDEVOP_map_pirq, op_struct, 40, {{{dom, 0, 2}, {any, 4, 4}, {any, 8, 4}, {any, 12, 4}}}},
    {kPhysdev, PHYSDEVOP_unmap_pirq, op_struct, 8, {{{dom, 0, 2}, {any, 4, 4}}}},
    {kPhysdev, PHYSDEVOP_eoi, op_struct, 4, {{{any, 0, 4}}}},
    {kPhysdev, PHYSDEVOP_pirq_eoi_gmfn_v1, op_struct, 8, {{{frame, 0, 8}}}},

    {__HYPERVISOR_xen_version, XENVER_compile_info, op_struct, 8, {}},
    {__HYPERVISOR_xen_version, XENVER_get_features, op_struct, 8, {{{any, 0, 4}}}},
    {__HYPERVISOR_xen_version, XENVER_build_id, op_struct, 8, {{{any, 0, 4}}}},
    {__HYPERVISOR_console_io, CONSOLEIO_write, op_count_struct, 16, {}},
    {__HYPERVISOR_callback_op, CALLBACKOP_register, op_struct, 24, {{{any, 0, 2}, {linear, 8, 8}}}},

    {__HYPERVISOR_mmu_update, 0, structs, 16, {{{slot, 0, 8}, {entry, 8, 8}}}},
    {kMmuext, 0, structs, 24, {{{count, 0, 4}, {frame, 8, 8}, {linear, 16, 8}}}},
    {kMmuext, 1, structs, 24, {{{any, 0, 4}, {linear, 8, 8}, {any, 16, 8}}}},
    {__HYPERVISOR_update_va_mapping, 0, registers, 0, {{{linear, 0, 8}, {entry, 8, 8}, {any, 16, 8}}}},
    {__HYPERVISOR_update_va_mapping_otherdomain,
     0,
     registers,
     0,
     {{{linear, 0, 8}, {entry, 8, 8}, {any, 16, 8}, {dom, 24, 8}}}},
    {__HYPERVISOR_set_gdt, 0, registers, 0, {{{memory, 0, 8}, {any, 8, 8}}}},
    {__HYPERVISOR_update_descriptor, 0, registers, 0, {{{slot, 0, 8}, {any, 8, 8}}}},
    {__HYPERVISOR_set_trap_table, 0, registers, 0, {{{memory, 0, 8}}}},
    {__HYPERVISOR_stack_switch, 0, registers, 0, {{{any, 0, 8}, {linear, 8, 8}}}},
    {__HYPERVISOR_vm_assist, 0, registers, 0, {{{count, 0, 8}, {any, 8, 8}}}},
    {__HYPERVISOR_set_segment_base, 0, registers, 0, {{{count, 0, 8}, {linear, 8, 8}}}},

    {kDomctl, 0, in_struct, 144, {{{any, 0, 4}, {dom, 8, 2}, {any, 16, 8}, {any, 24, 8}, {memory, 32, 8}}}},
    {kDomctl, 1, in_struct, 144, {{{any, 0, 4}, {dom, 8, 2}, {any, 16, 4}, {memory, 24, 8}}}},
    {kDomctl, 2, in_struct, 144, {{{any, 0, 4}, {dom, 8, 2}, {any, 16, 4}, {any, 36, 4}, {any, 44, 4}, {any, 52, 4}}}},
    {kSysctl, 0, in_struct, 136, {{{any, 0, 4}, {any, 8, 8}, {memory, 16, 8}, {any, 24, 8}, {memory, 32, 8}}}},
    // By the entry that is to hold it.
    {kGrants, GNTTABOP_map_grant_ref, op_struct_count, 32, {{{slot, 0, 8}, {any, 8, 4}, {ref, 12, 4}, {dom, 16, 2}}}},

    {kMemory, XENMEM_maximum_reservation, op_struct, 2, {{{dom, 0, 2}}}},
    {kMemory, XENMEM_machphys_mapping, op_struct, 24, {}},
    {kMemory, XENMEM_machphys_compat_mfn_list, op_struct, 24, {{{count, 0, 4}, {memory, 8, 8}}}},
    {kMemory, XENMEM_set_memory_map, op_struct, 24, {{{dom, 0, 2}, {count, 8, 4}, {memory, 16, 8}}}},
    {kMemory, XENMEM_machine_memory_map, op_struct, 16, {{{count, 0, 4}, {memory, 8, 8}}}},
    {kMemory, XENMEM_get_pod_target, op_struct, 40, {{{dom, 32, 2}}}},
    {kMemory, XENMEM_claim_pages, op_struct, 32, {{{count, 8, 8}, {any, 16, 1}, {any, 20, 4}, {dom, 24, 2}}}},
    {kMemory,
     XENMEM_get_vnumainfo,
     op_struct,
     48,
     {{{dom, 0, 2}, {count, 4, 4}, {count, 8, 4}, {memory, 16, 8}, {memory, 24, 8}, {memory, 32, 8}}}},

    {kVcpu, VCPUOP_stop_periodic_timer, op_vcpu_struct, 8, {}},
    {kVcpu, VCPUOP_stop_singleshot_timer, op_vcpu_struct, 8, {}},
    {kVcpu, VCPUOP_get_physid, op_vcpu_struct, 8, {}},

    {kHvm, HVMOP_flush_tlbs, op_struct, 8, {}},
    {kHvm, HVMOP_get_mem_type, op_struct, 16, {{{dom, 0, 2}, {gfn, 8, 8}}}},
    {kHvm, HVMOP_pagetable_dying, op_struct, 16, {{{dom, 0, 2}, {any, 8, 8}}}},
    {kHvm, HVMOP_get_time, op_struct, 8, {}},

    {kPhysdev, PHYSDEVOP_irq_status_query, op_struct, 8, {{{any, 0, 4}}}},
    {kPhysdev, PHYSDEVOP_pirq_eoi_gmfn_v2, op_struct, 8, {{{frame, 0, 8}}}},
    {kPhysdev, PHYSDEVOP_get_free_pirq, op_struct, 8, {{{any, 0, 4}}}},
    {kPhysdev, PHYSDEVOP_setup_gsi, op_struct, 8, {{{any, 0, 4}, {count, 4, 1}, {count, 5, 1}}}},
    {kPhysdev, PHYSDEVOP_IRQ_UNMASK_NOTIFY, op_struct, 4, {}},
    {kPhysdev, PHYSDEVOP_apic_read, op_struct, 16, {{{any, 0, 8}, {any, 8, 4}}}},
    {kPhysdev, PHYSDEVOP_apic_write, op_struct, 16, {{{any, 0, 8}, {any, 8, 4}, {any, 12, 4}}}},
    {kPhysdev, PHYSDEVOP_alloc_irq_vector, op_struct, 8, {{{any, 0, 4}}}},
    {kPhysdev, PHYSDEVOP_manage_pci_add, op_struct, 2, {{{any, 0, 2}}}},
    {kPhysdev, PHYSDEVOP_manage_pci_remove, op_struct, 2, {{{any, 0, 2}}}},
    {kPhysdev, PHYSDEVOP_restore_msi, op_struct, 2, {{{any, 0, 2}}}},
    {kPhysdev, PHYSDEVOP_pci_device_add, op_struct, 16, {{{any, 0, 4}, {count, 4, 4}}}},
    {kPhysdev, PHYSDEVOP_pci_device_remove, op_struct, 4, {{{any, 0, 4}}}},

    {__HYPERVISOR_xen_version, XENVER_guest_handle, op_struct, 16, {}},
    {__HYPERVISOR_console_io, CONSOLEIO_read, op_count_struct, 16, {}},
    {__HYPERVISOR_callback_op, CALLBACKOP_unregister, op_struct, 4, {{{any, 0, 2}}}},

    // A bitmap after the command's first word: affinities, nodes, what is dirty.
    {kDomctl,
     3,
     in_struct,
     144,
     {{{any, 0, 4}, {dom, 8, 2}, {any, 16, 4}, {any, 20, 4}, {memory, 24, 8}, {any, 32, 4}, {memory, 40, 8}}}},
    {kSysctl,
     1,
     in_struct,
     136,
     {{{any, 0, 4}, {any, 8, 4}, {any, 12, 4}, {any, 16, 4}, {any, 20, 4}, {any, 24, 4}, {memory, 32, 8}}}},
};

}  // namespace

std::span<const Shape> shapes() { return kShapes; }

std::uint8_t shape_of(unsigned number, std::uint32_t operation) {
    const auto found =
        std::ranges::find_if(kShapes, [&](const Shape& s) { return s.number == number && s.operation == operation; });
    check(found != std::end(kShapes), "a seed plays a shape that there is");
    return static_cast<std::uint8_t>(found - std::begin(kShapes));
}

}  // namespace xenrig::fuzz
