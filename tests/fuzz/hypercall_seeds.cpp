// Fields go by a byte each: a domain is 0 for itself, 1 the hostile one, 2 its helper, 3 the bystander, 4 the control
// domain; a frame below 0x60 is the caller's, from 0x60 the helper's, from 0x80 the bystander's; an address is a page.
#include "tests/fuzz/hypercall_seeds.h"

#include <cstdint>
#include <utility>

#include "sim/hypervisor/xen_abi.h"
#include "tests/fuzz/hypercall_script.h"

namespace xenrig::fuzz {

namespace {

using S = HypercallScript;
using Place = HypercallScript::Place;

constexpr int kSelf = 0, kBystander = 3;
constexpr int kWindow = 32;
constexpr int kOne = 0;  // how many structs
constexpr unsigned kEvents = __HYPERVISOR_event_channel_op, kGrants = __HYPERVISOR_grant_table_op,
                   kMemory = __HYPERVISOR_memory_op, kVcpu = __HYPERVISOR_vcpu_op, kSched = __HYPERVISOR_sched_op;

S& map(S& s, int window, int flags, int ref, int dom, int at = 0) {
    return s.call(kGrants, GNTTABOP_map_grant_ref, {window, flags, ref, dom}, at, {kOne});
}
S& unmap(S& s, int window, int handle) {
    return s.call(kGrants, GNTTABOP_unmap_grant_ref, {window, 0xff, 0, handle}, 0, {kOne});
}

std::string maps_what_was_granted(unsigned kind) {
    S s(kind, 0);
    map(s, kWindow, GNTMAP_host_map, 8, kBystander);
    map(s, kWindow + 1, GNTMAP_host_map | GNTMAP_readonly, 9, kBystander);
    s.poke(kWindow, 3, 77).poke(kWindow + 1, 3, 77);
    return s.bytes();
}

std::string writes_answers_into_a_read_only_mapping(unsigned kind) {
    S s(kind, 0);
    map(s, kWindow, GNTMAP_host_map | GNTMAP_readonly, 9, kBystander);
    const int mapped = S::pointer(Place::mapped);
    s.call(__HYPERVISOR_xen_version, XENVER_compile_info, {}, mapped);
    s.call(kVcpu, VCPUOP_get_runstate_info, {}, mapped, {0});
    return s.bytes();
}

std::string structs_end_in_a_hole() {
    S s;
    for (const int at : {0, 1, 7, 15, 31}) {
        map(s, kWindow, GNTMAP_host_map, 8, kBystander, S::pointer(Place::into_hole, at));
        s.call(kEvents, EVTCHNOP_status, {kSelf, 1}, S::pointer(Place::into_hole, at));
        s.call(kEvents, EVTCHNOP_alloc_unbound, {kSelf, kBystander}, S::pointer(Place::into_hole, at));
    }
    return s.bytes();
}

std::string a_batch_runs_over_its_own_answers() {
    S s(kPv);
    s.call(kGrants, GNTTABOP_map_grant_ref, {kWindow, 2, 8, kBystander}, S::pointer(Place::same), {7});
    s.call(kGrants, GNTTABOP_copy, {8, kBystander, 0, 8, kBystander, 0, 16}, S::pointer(Place::same, 8), {7});
    s.begin_multicall(3);
    for (int i = 0; i < 3; ++i) s.shape(kEvents, EVTCHNOP_alloc_unbound, {kSelf, 2}, S::pointer(Place::same, i));
    return s.end_multicall(S::pointer(Place::same)).bytes();
}

std::string ends_with_mappings_held(unsigned kind, unsigned order) {
    S s(kind, order);
    map(s, kWindow, GNTMAP_host_map, 8, 2);
    map(s, kWindow + 1, GNTMAP_host_map | GNTMAP_readonly, 9, 2);
    s.bystander(2, 0x08).kill_helper();
    s.by_helper();
    map(s, kWindow, GNTMAP_host_map | GNTMAP_readonly, 9, 1);
    s.by_hostile().destroy(0);
    unmap(s, kWindow, 0);
    map(s, kWindow + 2, GNTMAP_host_map, 8, 2);
    return s.bytes();
}

std::string maps_everywhere() {
    S s;
    // One mapping each in a part of the guest-physical space that nothing lies in yet, and gone again.
    for (int i = 1; i <= 200; ++i) {
        const int low = (i << 6) & 0xff, high = i >> 2;
        s.call(kGrants, GNTTABOP_map_grant_ref, {0xff, 0xff, 0, 0, 0, low, high, 0, 0, 0, 2, 8, kBystander}, 0, {kOne});
        s.call(kGrants, GNTTABOP_unmap_grant_ref, {0xff, 0xff, 0, 0, 0, low, high, 0, 0, 0, 0xff, 0, i - 1}, 0, {kOne});
    }
    return s.bytes();
}

std::string fifo_in_pages_that_are_granted() {
    S s;
    s.entry(20, 2, 20, GTF_permit_access);
    s.call(kEvents, EVTCHNOP_init_control, {20, 0, 0});
    s.call(kEvents, EVTCHNOP_expand_array, {21});
    s.call(kEvents, EVTCHNOP_expand_array, {20});
    s.call(kEvents, EVTCHNOP_send, {1}).call(kEvents, EVTCHNOP_set_priority, {1, 3});
    s.call(kMemory, XENMEM_decrease_reservation, {0, 1, 0, 0, kSelf});
    s.call(kEvents, EVTCHNOP_reset, {kSelf}).call(kEvents, EVTCHNOP_init_control, {20, 0, 0});
    return s.bytes();
}

std::string balloons_what_is_in_use() {
    S s(0, kPv);
    map(s, kWindow, GNTMAP_host_map, 8, 2);
    s.call(kVcpu, VCPUOP_register_vcpu_info, {10, 64}, 0, {0});
    s.poke(0, 0, 10).poke(0, 1, 32).poke(0, 2, 8);
    for (int i = 0; i < 3; ++i) s.call(kMemory, XENMEM_decrease_reservation, {S::pointer(Place::same), 3, 0, 0, kSelf});
    s.call(kMemory, XENMEM_populate_physmap, {S::pointer(Place::same), 3, 0, 0, kSelf});
    s.call(kMemory, XENMEM_add_to_physmap, {kSelf, 1, XENMAPSPACE_grant_table, 0, 32});
    s.call(kMemory, XENMEM_add_to_physmap, {kSelf, 1, XENMAPSPACE_shared_info, 0, 8});
    s.call(kMemory, XENMEM_remove_from_physmap, {kSelf, 8});
    return s.bytes();
}

std::string changes_the_version_with_grants_in_use() {
    S s;
    s.bystander(2, 0).by_helper();
    map(s, kWindow, GNTMAP_host_map, 9, 1);
    s.by_hostile();
    for (const int version : {2, 1, 2, 3}) s.call(kGrants, GNTTABOP_set_version, {version}, 0, {kOne});
    s.call(kGrants, GNTTABOP_get_status_frames, {1, kSelf, 0}, 0, {kOne});
    s.entry(16, 2, 8, GTF_transitive);
    s.call(kGrants, GNTTABOP_swap_grant_ref, {8, 9}, 0, {kOne});
    s.by_helper().call(kGrants, GNTTABOP_copy, {8, 1, 0, 8, 1, 0, 16}, 0, {kOne});
    return s.bytes();
}

std::string waits_with_everything_armed(unsigned kind) {
    S s(kind, kBackwardsOrder);
    s.call(kSched, SCHEDOP_watchdog, {0, 1}).call(kVcpu, VCPUOP_set_periodic_timer, {253}, 0, {0});
    s.call(kVcpu, VCPUOP_set_singleshot_timer, {100, 0}, 0, {0});
    s.call(kSched, SCHEDOP_poll, {0, 1, 50}).pass(200);
    s.by_hostile(1).call(kSched, SCHEDOP_shutdown, {2}).toolstack(2).toolstack(0).toolstack(1);
    return s.call(kSched, SCHEDOP_block, {}).bytes();
}

std::string talks_for_ever() {
    S s(kTalkative);
    s.call(__HYPERVISOR_console_io, CONSOLEIO_write, {}, 0, {246});
    return s.times(450).bytes();
}

/// Gfns 20 to 23 are the tables of a PV guest, the first of them that of the last level.
S& load_tables(S& s) {
    constexpr unsigned kFirst = 20, kTop = 23, kReadOnly = 5, kBoth = 7;
    for (unsigned page = 0; page < kFrames; ++page)
        if (page != kHole) s.poke_entry(kFirst, page, page >= kFirst && page <= kTop ? kReadOnly : kBoth, page);
    for (unsigned table = kFirst + 1; table <= kTop; ++table) s.poke_entry(table, 0, kBoth, table - 1);
    return s.call(__HYPERVISOR_mmuext_op, 0, {MMUEXT_NEW_BASEPTR, kTop, 0}, 0, {kOne, 0, 0});
}

std::string has_page_tables_of_its_own(unsigned order) {
    constexpr int kFirst = 20, kWrite = 2, kUpdate = 0;
    S s(kPv, order);
    load_tables(s);
    // Its tables are not its to write, by itself, by a hypercall's answer or by a second mapping.
    s.poke(kFirst, 40, 7).call(__HYPERVISOR_xen_version, XENVER_compile_info, {}, S::pointer(Place::any), {});
    s.call(__HYPERVISOR_mmu_update, 0, {kFirst, 40, kUpdate, 7, kFirst}, 0, {kOne, 0, 0});
    s.call(__HYPERVISOR_mmu_update, 0, {kFirst, 40, kUpdate, 5, kFirst}, 0, {kOne, 0, 0});
    s.call(__HYPERVISOR_mmu_update, 0, {kFirst, 41, kUpdate, 7, 0x80}, 0, {kOne, 0, 0});
    s.call(__HYPERVISOR_update_va_mapping, 0, {42, 7, kFirst + 1, 0})
        .call(__HYPERVISOR_update_va_mapping, 0, {42, 7, 9, 0});
    map(s, kWindow, GNTMAP_host_map, 8, kBystander);
    map(s, kWindow + 1, GNTMAP_host_map | GNTMAP_readonly, 9, kBystander);
    s.poke(kWindow, 3, 77).poke(kWindow + 1, 3, 77);
    s.call(kGrants, GNTTABOP_unmap_and_replace, {kWindow, 9, 0}, 0, {kOne});
    s.call(__HYPERVISOR_mmuext_op, 0, {MMUEXT_PIN_L1_TABLE, kFirst, 0}, 0, {kOne, 0, 0});
    s.poke(0, 0, kFirst).call(kMemory, XENMEM_decrease_reservation, {S::pointer(Place::same), 1, 0, 0, kSelf});
    s.entry(30, 2, kFirst, GTF_permit_access).by_helper();
    map(s, kWindow, GNTMAP_host_map, 30, 1).by_hostile();
    s.call(__HYPERVISOR_mmuext_op, 0, {kWrite, kFirst + 2, 0}, 0, {kOne, 0, 0});
    return s.call(__HYPERVISOR_mmuext_op, 0, {MMUEXT_UNPIN_TABLE, kFirst, 0}, 0, {kOne, 0, 0}).bytes();
}

/// The bystander's page after the one that it granted the helper is a secret.
std::string copies_past_the_page(unsigned kind) {
    constexpr std::uint64_t kByReference = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    constexpr int kHostile = 1, kGrant = 10, kHostilesGrant = 9;
    S s(0, kind);
    s.by_helper();
    const auto copy = [&](int from, int from_dom, std::uint64_t at, int to, int to_dom, std::uint64_t to_at) {
        const S::Bytes length = S::number(64 | kByReference << 16);
        s.call(kGrants, GNTTABOP_copy,
               S::fields({{from, from_dom}, S::number(at), {to, to_dom}, S::number(to_at), length}), 0, {kOne});
    };
    for (const std::uint64_t at : {kPageSize - 32, kPageSize - 64, kPageSize}) {
        copy(kGrant, kBystander, at, kHostilesGrant, kHostile, 0);
        copy(kHostilesGrant, kHostile, 0, kGrant, kBystander, at);
        copy(kGrant, kBystander, 0, kGrant, kBystander, at);
    }
    return s.bytes();
}

std::string binds_and_closes() {
    constexpr int kHelper = 2;
    S s(0, 0);
    const auto virq = [&](int number) { s.call(kEvents, EVTCHNOP_bind_virq, {number, 0}); };
    // Its third port to the first of the helper's, and the helper ends.
    s.by_helper().call(kEvents, EVTCHNOP_alloc_unbound, {kSelf, 1}).by_hostile();
    s.call(kEvents, EVTCHNOP_bind_interdomain, {kHelper, 1}).call(kEvents, EVTCHNOP_bind_interdomain, {kBystander, 1});
    for (int number = 0; number < 3; ++number) virq(number);
    s.call(kEvents, EVTCHNOP_bind_ipi, {1}).call(kEvents, EVTCHNOP_bind_vcpu, {1, 1});
    for (int port = 4; port < 8; ++port) s.call(kEvents, EVTCHNOP_close, {port});
    for (int number = 0; number < 3; ++number) virq(number);
    s.destroy(0).call(kEvents, EVTCHNOP_send, {2}).call(kEvents, EVTCHNOP_close, {2});
    return s.bytes();
}

std::string every_shape_once(unsigned kind) {
    S s(kind, kind);
    for (const Shape& shape : shapes()) {
        // Who waits makes no further call.
        if (shape.number == kSched) s.by_hostile(1);
        if (shape.number == kVcpu && shape.operation == VCPUOP_down)
            s.call(kVcpu, VCPUOP_down, {}, 0, {1});
        else
            s.mildest(shape);
        s.toolstack(2).by_hostile(0);
    }
    return s.bytes();
}

}  // namespace

std::vector<HypercallSeed> hypercall_seeds() {
    std::vector<HypercallSeed> seeds = {
        {"every-shape-as-pvh", every_shape_once(0), 80},
        {"every-shape-as-pv", every_shape_once(kPv), 80},
        {"every-shape-as-hvm-of-32-bits", every_shape_once(kHvm | k32Bit), 80},
        {"every-shape-as-pv-control-domain", every_shape_once(kPv | kPrivileged), 80},
        {"every-shape-as-pvh-control-domain", every_shape_once(kPrivileged), 80},
        {"maps-what-was-granted-pvh", maps_what_was_granted(0), 2},
        {"maps-what-was-granted-pv", maps_what_was_granted(kPv), 2},
        {"answers-into-a-read-only-mapping-pvh", writes_answers_into_a_read_only_mapping(0), 3},
        {"answers-into-a-read-only-mapping-pv", writes_answers_into_a_read_only_mapping(kPv), 3},
        {"structs-end-in-a-hole", structs_end_in_a_hole(), 15},
        {"batch-runs-over-its-own-answers", a_batch_runs_over_its_own_answers(), 3},
        {"ends-with-mappings-held", ends_with_mappings_held(0, 0), 4},
        {"ends-with-mappings-held-backwards", ends_with_mappings_held(kPv, kBackwardsOrder), 4},
        {"maps-everywhere", maps_everywhere(), 400},
        {"fifo-in-pages-that-are-granted", fifo_in_pages_that_are_granted(), 8},
        {"balloons-what-is-in-use", balloons_what_is_in_use(), 9},
        {"version-changes-with-grants-in-use", changes_the_version_with_grants_in_use(), 8},
        {"page-tables-of-its-own", has_page_tables_of_its_own(0), 12},
        {"page-tables-of-its-own-backwards", has_page_tables_of_its_own(kBackwardsOrder), 12},
        {"waits-with-everything-armed", waits_with_everything_armed(0), 5},
        {"waits-on-two-processors", waits_with_everything_armed(kSmallHost), 5},
        {"talks-for-ever", talks_for_ever(), 450},
        {"host-is-full",
         S(kSmallHost, kPv)
             .create(0, 15)
             .create(2, 15)
             .call(kMemory, XENMEM_populate_physmap, {0, 5, 0, 0, kSelf})
             .destroy(1)
             .bytes(),
         1},
        {"copies-past-the-page-pvh", copies_past_the_page(0), 4},
        {"copies-past-the-page-pv", copies_past_the_page(kPv), 4},
        {"binds-and-closes", binds_and_closes(), 10},
    };
    for (HypercallSeed& seed : hypercall_operation_seeds()) seeds.push_back(std::move(seed));
    for (HypercallSeed& seed : hypercall_feature_seeds()) seeds.push_back(std::move(seed));
    return seeds;
}

}  // namespace xenrig::fuzz
