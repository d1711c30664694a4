#include "xenrig/abi/compat_layout.h"

#include <algorithm>
#include <array>

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/callback.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
}

namespace xenrig {

namespace {

constexpr std::uint8_t kPointer32 = 4;

/// A number; its width in the 32-bit struct is its own or, for a word of the caller's, 4.
#define FIELD(Struct, member, compat_at, compat_bytes) \
    CompatField { offsetof(Struct, member), compat_at, sizeof(Struct::member), compat_bytes }
#define ANSWERS(Struct, member, compat_at, layout) \
    CompatField { offsetof(Struct, member), compat_at, 8, kPointer32, CompatField::answers, layout }
#define POINTER(Struct, member, compat_at, layout) \
    CompatField { offsetof(Struct, member), compat_at, 8, kPointer32, CompatField::pointer, layout }
#define LIST(Struct, member, compat_at, layout, list) \
    CompatField { offsetof(Struct, member), compat_at, 8, kPointer32, CompatField::pointer, layout, list }

constexpr CompatField kWordFields[] = {{0, 0, 8, 4}};
/// An element of a list of frame numbers or of unsigned longs.
constexpr CompatLayout kWord{"word", 8, 4, kWordFields};

constexpr CompatField kLongFields[] = {{0, 0, 8, 8}};
/// Of a list of numbers of 64 bits.
constexpr CompatLayout kLong{"long", 8, 8, kLongFields};

constexpr CompatField kSetupTableFields[] = {
    FIELD(gnttab_setup_table_t, dom, 0, 2), FIELD(gnttab_setup_table_t, nr_frames, 4, 4),
    FIELD(gnttab_setup_table_t, status, 8, 2), ANSWERS(gnttab_setup_table_t, frame_list, 12, &kWord)};
constexpr CompatLayout kSetupTable{"gnttab_setup_table", sizeof(gnttab_setup_table_t), 16, kSetupTableFields};

constexpr CompatField kTransferFields[] = {FIELD(gnttab_transfer_t, mfn, 0, 4), FIELD(gnttab_transfer_t, domid, 4, 2),
                                           FIELD(gnttab_transfer_t, ref, 8, 4),
                                           FIELD(gnttab_transfer_t, status, 12, 2)};
constexpr CompatLayout kTransfer{"gnttab_transfer", sizeof(gnttab_transfer_t), 16, kTransferFields};

constexpr CompatField kCopyFields[] = {
    FIELD(gnttab_copy_t, source.u.gmfn, 0, 4), FIELD(gnttab_copy_t, source.domid, 4, 2),
    FIELD(gnttab_copy_t, source.offset, 6, 2), FIELD(gnttab_copy_t, dest.u.gmfn, 8, 4),
    FIELD(gnttab_copy_t, dest.domid, 12, 2),   FIELD(gnttab_copy_t, dest.offset, 14, 2),
    FIELD(gnttab_copy_t, len, 16, 2),          FIELD(gnttab_copy_t, flags, 18, 2),
    FIELD(gnttab_copy_t, status, 20, 2)};
constexpr CompatLayout kCopy{"gnttab_copy", sizeof(gnttab_copy_t), 24, kCopyFields};

constexpr CompatField kStatusFramesFields[] = {
    FIELD(gnttab_get_status_frames_t, nr_frames, 0, 4), FIELD(gnttab_get_status_frames_t, dom, 4, 2),
    FIELD(gnttab_get_status_frames_t, status, 6, 2), ANSWERS(gnttab_get_status_frames_t, frame_list, 8, &kLong)};
constexpr CompatLayout kStatusFrames{"gnttab_get_status_frames", sizeof(gnttab_get_status_frames_t), 12,
                                     kStatusFramesFields};

constexpr CompatList kExtents{offsetof(xen_memory_reservation_t, nr_extents)};
constexpr CompatField kReservationFields[] = {
    LIST(xen_memory_reservation_t, extent_start, 0, &kWord, &kExtents),
    FIELD(xen_memory_reservation_t, nr_extents, 4, 4), FIELD(xen_memory_reservation_t, extent_order, 8, 4),
    FIELD(xen_memory_reservation_t, mem_flags, 12, 4), FIELD(xen_memory_reservation_t, domid, 16, 2)};
constexpr CompatLayout kReservation{"xen_memory_reservation", sizeof(xen_memory_reservation_t), 20, kReservationFields};

constexpr CompatList kExtentsIn{offsetof(xen_memory_exchange_t, in.nr_extents)};
constexpr CompatList kExtentsOut{offsetof(xen_memory_exchange_t, out.nr_extents)};
constexpr CompatField kExchangeFields[] = {LIST(xen_memory_exchange_t, in.extent_start, 0, &kWord, &kExtentsIn),
                                           FIELD(xen_memory_exchange_t, in.nr_extents, 4, 4),
                                           FIELD(xen_memory_exchange_t, in.extent_order, 8, 4),
                                           FIELD(xen_memory_exchange_t, in.mem_flags, 12, 4),
                                           FIELD(xen_memory_exchange_t, in.domid, 16, 2),
                                           LIST(xen_memory_exchange_t, out.extent_start, 20, &kWord, &kExtentsOut),
                                           FIELD(xen_memory_exchange_t, out.nr_extents, 24, 4),
                                           FIELD(xen_memory_exchange_t, out.extent_order, 28, 4),
                                           FIELD(xen_memory_exchange_t, out.mem_flags, 32, 4),
                                           FIELD(xen_memory_exchange_t, out.domid, 36, 2),
                                           FIELD(xen_memory_exchange_t, nr_exchanged, 40, 4)};
constexpr CompatLayout kExchange{"xen_memory_exchange", sizeof(xen_memory_exchange_t), 44, kExchangeFields};

constexpr CompatField kAddToPhysmapFields[] = {
    FIELD(xen_add_to_physmap_t, domid, 0, 2), FIELD(xen_add_to_physmap_t, size, 2, 2),
    FIELD(xen_add_to_physmap_t, space, 4, 4), FIELD(xen_add_to_physmap_t, idx, 8, 4),
    FIELD(xen_add_to_physmap_t, gpfn, 12, 4)};
constexpr CompatLayout kAddToPhysmap{"xen_add_to_physmap", sizeof(xen_add_to_physmap_t), 16, kAddToPhysmapFields};

constexpr CompatField kAddBatchFields[] = {
    FIELD(xen_add_to_physmap_batch_t, domid, 0, 2),        FIELD(xen_add_to_physmap_batch_t, space, 2, 2),
    FIELD(xen_add_to_physmap_batch_t, size, 4, 2),         FIELD(xen_add_to_physmap_batch_t, u, 6, 2),
    POINTER(xen_add_to_physmap_batch_t, idxs, 8, &kWord),  POINTER(xen_add_to_physmap_batch_t, gpfns, 12, &kWord),
    POINTER(xen_add_to_physmap_batch_t, errs, 16, nullptr)};
constexpr CompatLayout kAddBatch{"xen_add_to_physmap_batch", sizeof(xen_add_to_physmap_batch_t), 20, kAddBatchFields};

constexpr CompatField kRemoveFields[] = {FIELD(xen_remove_from_physmap_t, domid, 0, 2),
                                         FIELD(xen_remove_from_physmap_t, gpfn, 4, 4)};
constexpr CompatLayout kRemove{"xen_remove_from_physmap", sizeof(xen_remove_from_physmap_t), 8, kRemoveFields};

constexpr CompatField kMfnListFields[] = {FIELD(xen_machphys_mfn_list_t, max_extents, 0, 4),
                                          POINTER(xen_machphys_mfn_list_t, extent_start, 4, &kWord),
                                          FIELD(xen_machphys_mfn_list_t, nr_extents, 8, 4)};
constexpr CompatLayout kMfnList{"xen_machphys_mfn_list", sizeof(xen_machphys_mfn_list_t), 12, kMfnListFields};

constexpr CompatField kMappingFields[] = {FIELD(xen_machphys_mapping_t, v_start, 0, 4),
                                          FIELD(xen_machphys_mapping_t, v_end, 4, 4),
                                          FIELD(xen_machphys_mapping_t, max_mfn, 8, 4)};
constexpr CompatLayout kMapping{"xen_machphys_mapping", sizeof(xen_machphys_mapping_t), 12, kMappingFields};

/// struct e820entry.
constexpr CompatList kMapEntries{offsetof(xen_memory_map_t, nr_entries), 20};
constexpr CompatField kMemoryMapFields[] = {FIELD(xen_memory_map_t, nr_entries, 0, 4),
                                            LIST(xen_memory_map_t, buffer, 4, nullptr, &kMapEntries)};
constexpr CompatLayout kMemoryMap{"xen_memory_map", sizeof(xen_memory_map_t), 8, kMemoryMapFields};

constexpr CompatField kForeignMapFields[] = {FIELD(xen_foreign_memory_map_t, domid, 0, 2),
                                             FIELD(xen_foreign_memory_map_t, map.nr_entries, 4, 4),
                                             POINTER(xen_foreign_memory_map_t, map.buffer, 8, nullptr)};
constexpr CompatLayout kForeignMap{"xen_foreign_memory_map", sizeof(xen_foreign_memory_map_t), 12, kForeignMapFields};

constexpr CompatField kResourceFields[] = {FIELD(xen_mem_acquire_resource_t, domid, 0, 2),
                                           FIELD(xen_mem_acquire_resource_t, type, 2, 2),
                                           FIELD(xen_mem_acquire_resource_t, id, 4, 4),
                                           FIELD(xen_mem_acquire_resource_t, nr_frames, 8, 4),
                                           FIELD(xen_mem_acquire_resource_t, pad, 12, 4),
                                           FIELD(xen_mem_acquire_resource_t, frame, 16, 8),
                                           POINTER(xen_mem_acquire_resource_t, frame_list, 24, &kWord)};
constexpr CompatLayout kResource{"xen_mem_acquire_resource", sizeof(xen_mem_acquire_resource_t), 28, kResourceFields};

constexpr CompatList kPorts{offsetof(sched_poll_t, nr_ports), sizeof(evtchn_port_t)};
constexpr CompatField kPollFields[] = {LIST(sched_poll_t, ports, 0, nullptr, &kPorts),
                                       FIELD(sched_poll_t, nr_ports, 4, 4), FIELD(sched_poll_t, timeout, 8, 8)};
constexpr CompatLayout kPoll{"sched_poll", sizeof(sched_poll_t), 16, kPollFields};

constexpr CompatField kRunstateFields[] = {
    FIELD(vcpu_runstate_info_t, state, 0, 4),    FIELD(vcpu_runstate_info_t, state_entry_time, 4, 8),
    FIELD(vcpu_runstate_info_t, time[0], 12, 8), FIELD(vcpu_runstate_info_t, time[1], 20, 8),
    FIELD(vcpu_runstate_info_t, time[2], 28, 8), FIELD(vcpu_runstate_info_t, time[3], 36, 8)};
constexpr CompatLayout kRunstate{"vcpu_runstate_info", sizeof(vcpu_runstate_info_t), 44, kRunstateFields};

/// The address has 64 bits in both, of which a 32-bit caller's lower half counts.
constexpr CompatField kRunstateAreaFields[] = {POINTER(vcpu_register_runstate_memory_area_t, addr, 0, &kRunstate)};
constexpr CompatLayout kRunstateArea{"vcpu_register_runstate_memory_area", sizeof(vcpu_register_runstate_memory_area_t),
                                     8, kRunstateAreaFields};

constexpr CompatField kTimeAreaFields[] = {POINTER(vcpu_register_time_memory_area_t, addr, 0, nullptr)};
constexpr CompatLayout kTimeArea{"vcpu_register_time_memory_area", sizeof(vcpu_register_time_memory_area_t), 8,
                                 kTimeAreaFields};

constexpr CompatField kSingleshotFields[] = {FIELD(vcpu_set_singleshot_timer_t, timeout_abs_ns, 0, 8),
                                             FIELD(vcpu_set_singleshot_timer_t, flags, 8, 4)};
constexpr CompatLayout kSingleshot{"vcpu_set_singleshot_timer", sizeof(vcpu_set_singleshot_timer_t), 12,
                                   kSingleshotFields};

/// What a vCPU's first context says of where it begins (arch-x86/xen.h; its 32-bit struct has 2800 bytes).
constexpr CompatField kContextFields[] = {FIELD(vcpu_guest_context_t, flags, 512, 4),
                                          FIELD(vcpu_guest_context_t, user_regs.rbx, 516, 4),
                                          FIELD(vcpu_guest_context_t, user_regs.rsi, 528, 4),
                                          FIELD(vcpu_guest_context_t, user_regs.rdi, 532, 4),
                                          FIELD(vcpu_guest_context_t, user_regs.rax, 540, 4),
                                          FIELD(vcpu_guest_context_t, user_regs.rip, 548, 4),
                                          FIELD(vcpu_guest_context_t, user_regs.rflags, 556, 4),
                                          FIELD(vcpu_guest_context_t, user_regs.rsp, 560, 4)};
constexpr CompatLayout kContext{"vcpu_guest_context", sizeof(vcpu_guest_context_t), 2800, kContextFields};

constexpr CompatField kMulticallFields[] = {
    FIELD(multicall_entry_t, op, 0, 4),       FIELD(multicall_entry_t, result, 4, 4),
    FIELD(multicall_entry_t, args[0], 8, 4),  FIELD(multicall_entry_t, args[1], 12, 4),
    FIELD(multicall_entry_t, args[2], 16, 4), FIELD(multicall_entry_t, args[3], 20, 4),
    FIELD(multicall_entry_t, args[4], 24, 4), FIELD(multicall_entry_t, args[5], 28, 4)};
constexpr CompatLayout kMulticall{"multicall_entry", sizeof(multicall_entry_t), 32, kMulticallFields};

/// A 32-bit guest's handler has a code segment, which is Xen's to choose here, and an address.
constexpr CompatField kCallbackFields[] = {FIELD(callback_register_t, type, 0, 2),
                                           FIELD(callback_register_t, flags, 2, 2),
                                           FIELD(callback_register_t, address, 8, 4)};
constexpr CompatLayout kCallback{"callback_register", sizeof(callback_register_t), 12, kCallbackFields};

constexpr CompatField kPlatformFields[] = {{0, 0, 8, 4}};
constexpr CompatLayout kPlatform{"xen_platform_parameters", sizeof(xen_platform_parameters_t), 4, kPlatformFields};

constexpr CompatField kMapPirqFields[] = {
    FIELD(physdev_map_pirq_t, domid, 0, 2),     FIELD(physdev_map_pirq_t, type, 4, 4),
    FIELD(physdev_map_pirq_t, index, 8, 4),     FIELD(physdev_map_pirq_t, pirq, 12, 4),
    FIELD(physdev_map_pirq_t, bus, 16, 4),      FIELD(physdev_map_pirq_t, devfn, 20, 4),
    FIELD(physdev_map_pirq_t, entry_nr, 24, 4), FIELD(physdev_map_pirq_t, table_base, 28, 8)};
constexpr CompatLayout kMapPirq{"physdev_map_pirq", sizeof(physdev_map_pirq_t), 36, kMapPirqFields};

constexpr CompatField kEoiFrameFields[] = {FIELD(physdev_pirq_eoi_gmfn_t, gmfn, 0, 4)};
constexpr CompatLayout kEoiFrame{"physdev_pirq_eoi_gmfn", sizeof(physdev_pirq_eoi_gmfn_t), 4, kEoiFrameFields};

constexpr CompatField kMmuextFields[] = {FIELD(mmuext_op_t, cmd, 0, 4), FIELD(mmuext_op_t, arg1, 4, 4),
                                         FIELD(mmuext_op_t, arg2, 8, 4)};
constexpr CompatLayout kMmuext{"mmuext_op", sizeof(mmuext_op_t), 12, kMmuextFields};

#undef FIELD
#undef POINTER
#undef LIST
#undef ANSWERS

constexpr std::uint64_t kAny = ~0ull;

struct Row {
    unsigned number;
    std::uint64_t operation;
    CompatArgument argument;
};

constexpr Row kRows[] = {
    {__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, {1, &kSetupTable}},
    {__HYPERVISOR_grant_table_op, GNTTABOP_transfer, {1, &kTransfer}},
    {__HYPERVISOR_grant_table_op, GNTTABOP_copy, {1, &kCopy}},
    {__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, {1, &kStatusFrames}},
    {__HYPERVISOR_memory_op, XENMEM_increase_reservation, {1, &kReservation}},
    {__HYPERVISOR_memory_op, XENMEM_decrease_reservation, {1, &kReservation}},
    {__HYPERVISOR_memory_op, XENMEM_populate_physmap, {1, &kReservation}},
    {__HYPERVISOR_memory_op, XENMEM_exchange, {1, &kExchange}},
    {__HYPERVISOR_memory_op, XENMEM_add_to_physmap, {1, &kAddToPhysmap}},
    {__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, {1, &kAddBatch}},
    {__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, {1, &kRemove}},
    {__HYPERVISOR_memory_op, XENMEM_machphys_mfn_list, {1, &kMfnList}},
    {__HYPERVISOR_memory_op, XENMEM_machphys_compat_mfn_list, {1, &kMfnList}},
    {__HYPERVISOR_memory_op, XENMEM_machphys_mapping, {1, &kMapping}},
    {__HYPERVISOR_memory_op, XENMEM_memory_map, {1, &kMemoryMap}},
    {__HYPERVISOR_memory_op, XENMEM_machine_memory_map, {1, &kMemoryMap}},
    {__HYPERVISOR_memory_op, XENMEM_set_memory_map, {1, &kForeignMap}},
    {__HYPERVISOR_memory_op, XENMEM_acquire_resource, {1, &kResource}},
    // XENMEM_claim_pages, which memory.h shows to tools alone.
    {__HYPERVISOR_memory_op, 24, {1, &kReservation}},
    {__HYPERVISOR_sched_op, SCHEDOP_poll, {1, &kPoll}},
    {__HYPERVISOR_vcpu_op, VCPUOP_initialise, {2, &kContext}},
    {__HYPERVISOR_vcpu_op, VCPUOP_get_runstate_info, {2, &kRunstate}},
    {__HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, {2, &kRunstateArea}},
    {__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_time_memory_area, {2, &kTimeArea}},
    {__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, {2, &kSingleshot}},
    {__HYPERVISOR_xen_version, XENVER_platform_parameters, {1, &kPlatform}},
    {__HYPERVISOR_multicall, kAny, {0, &kMulticall}},
    {__HYPERVISOR_callback_op, CALLBACKOP_register, {1, &kCallback}},
    {__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, {1, &kMapPirq}},
    {__HYPERVISOR_physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v1, {1, &kEoiFrame}},
    {__HYPERVISOR_physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, {1, &kEoiFrame}},
    {__HYPERVISOR_mmuext_op, kAny, {0, &kMmuext}},
};

}  // namespace

const CompatArgument* compat_argument(unsigned number, std::uint64_t operation) {
    const auto row = std::ranges::find_if(
        kRows, [&](const Row& r) { return r.number == number && (r.operation == kAny || r.operation == operation); });
    return row == std::end(kRows) ? nullptr : &row->argument;
}

std::span<const CompatLayout* const> compat_layouts() {
    static constexpr std::array kAll = {
        &kSetupTable, &kTransfer, &kCopy,         &kStatusFrames, &kReservation, &kExchange,   &kAddToPhysmap,
        &kAddBatch,   &kRemove,   &kMfnList,      &kMapping,      &kMemoryMap,   &kForeignMap, &kResource,
        &kPoll,       &kRunstate, &kRunstateArea, &kTimeArea,     &kSingleshot,  &kContext,    &kMulticall,
        &kCallback,   &kPlatform, &kMapPirq,      &kEoiFrame,     &kMmuext};
    return kAll;
}

}  // namespace xenrig
