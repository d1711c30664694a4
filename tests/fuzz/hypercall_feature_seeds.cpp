// What takes several operations to get to: grants of version 2, transfers, the FIFO with events in it, exchanged
// memory, memory on demand, resources of others, the dirty log, a guest's parameters.
#include "sim/hypervisor/xen_abi.h"
#include "tests/fuzz/hypercall_script.h"
#include "tests/fuzz/hypercall_seeds.h"

namespace xenrig::fuzz {

namespace {

using S = HypercallScript;
using Place = HypercallScript::Place;

constexpr int kSelf = 0, kHostileDom = 1, kHelperDom = 2, kBystanderDom = 3, kControlDom = 4;
constexpr int kOne = 0, kWindow = 32;
constexpr unsigned kEvents = __HYPERVISOR_event_channel_op, kGrants = __HYPERVISOR_grant_table_op,
                   kMemory = __HYPERVISOR_memory_op;
/// Lists of frames stand where no struct is put: in a page that others may map.
constexpr int kListPage = 8;
const int kList = S::pointer(Place::granted, 0), kSecondList = S::pointer(Place::granted, 1);

S& map(S& s, int window, int flags, int ref, int dom) {
    return s.call(kGrants, GNTTABOP_map_grant_ref, {window, flags, ref, dom}, 0, {kOne});
}
S& copy(S& s, int from, int from_dom, int offset, int bytes) {
    constexpr std::uint64_t kFromReference = GNTCOPY_source_gref;
    const S::Bytes length = S::number(static_cast<std::uint64_t>(bytes) | kFromReference << 16);
    return s.call(kGrants, GNTTABOP_copy, S::fields({{from, from_dom, offset, 12, kSelf, 0}, length}), 0, {kOne});
}

/// An entry of 16 bytes: its two halves stand where two of version 1 would.
S& entry_v2(S& s, unsigned ref, unsigned to, unsigned flags, std::uint64_t upper_word, unsigned second_half) {
    s.entry(2 * ref, to, S::frame_number(upper_word), S::number(flags));
    return s.entry(2 * ref + 1, kControlDom, S::frame_number(0), S::number(second_half));
}

std::string grants_of_version_2() {
    constexpr unsigned kWhole = 8, kPart = 9, kBehind = 10, kBehindItself = 11;
    S s;
    s.call(kGrants, GNTTABOP_set_version, {2}, 0, {kOne});
    entry_v2(s, kWhole, kHelperDom, GTF_permit_access, 0, 12);
    entry_v2(s, kPart, kHelperDom, GTF_permit_access | GTF_sub_page, 64 | 128 << 16, 13);
    // By the bystander's domid and its grant.
    entry_v2(s, kBehind, kHelperDom, GTF_transitive, 3, 8);
    entry_v2(s, kBehindItself, kHelperDom, GTF_transitive, 1, kBehindItself);
    s.by_helper();
    map(s, kWindow, GNTMAP_host_map, kWhole, kHostileDom);
    map(s, kWindow + 1, GNTMAP_host_map | GNTMAP_readonly, kPart, kHostileDom);
    for (const unsigned ref : {kWhole, kPart, kBehind, kBehindItself}) {
        copy(s, static_cast<int>(ref), kHostileDom, 64, 16);
        copy(s, static_cast<int>(ref), kHostileDom, 64, 200);
    }
    s.by_hostile().call(kGrants, GNTTABOP_swap_grant_ref, {kWhole, kPart}, 0, {kOne});
    s.call(kGrants, GNTTABOP_swap_grant_ref, {kPart, kBehind}, 0, {kOne});
    s.call(kGrants, GNTTABOP_get_status_frames, {1, kSelf, 0}, 0, {kOne});
    s.call(kMemory, XENMEM_add_to_physmap, {kSelf, 1, XENMAPSPACE_grant_table, 3, 70});
    for (const int version : {1, 2}) s.call(kGrants, GNTTABOP_set_version, {version}, 0, {kOne});
    s.by_helper().call(kGrants, GNTTABOP_unmap_grant_ref, {kWindow, 0xff, 0, 0}, 0, {kOne});
    s.by_hostile();
    // Those of the first eight are kept, and no other may be in use.
    for (const int version : {1, 2, 1}) {
        s.call(kGrants, GNTTABOP_set_version, {version}, 0, {kOne}).entry(3, kHelperDom, 12, GTF_permit_access);
        s.call(kGrants, GNTTABOP_setup_table, {kSelf, 3, 0}, 0, {kOne});
    }
    return s.bytes();
}

std::string gives_frames_away(unsigned order) {
    S s(kPv, kPv | order);
    s.by_helper();
    for (unsigned ref = 12; ref < 16; ++ref) s.entry(ref, kHostileDom, 40, GTF_accept_transfer);
    s.by_hostile();
    for (int ref = 12; ref < 17; ++ref) s.call(kGrants, GNTTABOP_transfer, {ref + 8, kHelperDom, ref}, 0, {kOne});
    // One that is granted and mapped, and one again.
    s.by_helper();
    map(s, kWindow, GNTMAP_host_map, 9, kHostileDom).by_hostile();
    s.call(kGrants, GNTTABOP_transfer, {9, kHelperDom, 15}, 0, {kOne});
    s.call(kGrants, GNTTABOP_transfer, {20, kHelperDom, 15}, 0, {kOne});
    s.call(kGrants, GNTTABOP_cache_flush, {8, 0, 64, 1}, 0, {kOne})
        .call(kGrants, GNTTABOP_cache_flush, {8, 0, 64, 2}, 0, {kOne});
    return s.bytes();
}

std::string events_in_the_fifo(unsigned kind) {
    constexpr int kControl = 20, kArray = 21, kControl1 = 22;
    S s(kind);
    for (int vcpu = 0; vcpu < 2; ++vcpu) s.call(kEvents, EVTCHNOP_bind_ipi, {vcpu});
    s.call(kEvents, EVTCHNOP_send, {2}).call(kEvents, EVTCHNOP_init_control, {kControl, 0, 0});
    s.call(kEvents, EVTCHNOP_init_control, {kControl1, 64, 1}).call(kEvents, EVTCHNOP_send, {3});
    s.call(kEvents, EVTCHNOP_expand_array, {kArray});
    for (int port = 4; port < 10; ++port)
        s.call(kEvents, EVTCHNOP_bind_ipi, {port % 2}).call(kEvents, EVTCHNOP_set_priority, {port, port % 3});
    for (int port = 1; port < 10; ++port) s.call(kEvents, EVTCHNOP_send, {port});
    // It says that they are taken, that they are busy, and masks them.
    for (const int high : {0, 0x20, 0x40, 0x60, 0x80}) {
        for (unsigned word = 1; word < 5; ++word)
            s.poke(kArray, word,
                   S::number(static_cast<std::uint64_t>(high) << 24 | static_cast<std::uint64_t>(high) << 56));
        for (int port = 2; port < 10; ++port)
            s.call(kEvents, EVTCHNOP_send, {port}).call(kEvents, EVTCHNOP_unmask, {port});
    }
    for (int port = 4; port < 7; ++port) s.call(kEvents, EVTCHNOP_close, {port}).call(kEvents, EVTCHNOP_bind_ipi, {1});
    s.call(kEvents, EVTCHNOP_reset, {kSelf}).call(kEvents, EVTCHNOP_bind_ipi, {1}).call(kEvents, EVTCHNOP_send, {1});
    return s.call(kEvents, EVTCHNOP_init_control, {kControl, 0, 0}).bytes();
}

std::string exchanges_memory() {
    // The frames that were populated after the bystander's twelve.
    constexpr std::uint64_t kFirst = 0x1000, kSome = 40, kCount = 8;
    S s(kPv, 0);
    for (unsigned i = 0; i < kCount; ++i)
        s.poke(kListPage, i, S::number(kFirst + kSome + i)).poke(kListPage + 1, i, 20 + i);
    for (const int order : {0, 1})
        for (const int out : {kSecondList, kList})
            s.call(kMemory, XENMEM_exchange, {kList, 2, kSelf, out, order == 0 ? 2 : 1, order, kSelf});
    return s.bytes();
}

/// By a control domain, for its helper; which then uses it.
std::string memory_on_demand(unsigned order) {
    constexpr int kOnDemand = XENMEMF_populate_on_demand >> 16;
    S s(kPrivileged, order);
    const auto reserve = [&](unsigned op, int count, int extent_order) {
        const S::Bytes flags = S::number(static_cast<std::uint64_t>(kOnDemand) << 16);
        s.call(kMemory, op, S::fields({{kList, count, extent_order}, flags, {kHelperDom}}));
    };
    for (unsigned i = 0; i < 4; ++i) s.poke(kListPage, i, 40 + 4 * i);
    reserve(XENMEM_populate_physmap, 3, 0);
    reserve(XENMEM_populate_physmap, 2, 2);
    for (const int pages : {31, 36, 40, 32}) s.call(kMemory, XENMEM_set_pod_target, {pages, kHelperDom});
    s.call(kMemory, XENMEM_get_pod_target, {kHelperDom}).by_helper();
    for (unsigned page = 40; page < 48; ++page) s.poke(page, 0, page % 2);
    map(s, 44, GNTMAP_host_map, 8, kHostileDom);
    s.poke(kListPage, 0, 41).call(kMemory, XENMEM_decrease_reservation, {kList, 1, 0, 0, kSelf});
    s.call(kMemory, XENMEM_remove_from_physmap, {kSelf, 48}).call(kMemory, XENMEM_current_reservation, {kSelf});
    s.by_hostile().call(kMemory, XENMEM_set_pod_target, {31, kHelperDom});
    s.call(kMemory, XENMEM_claim_pages, S::fields({{4, 0}, {0}, {kHelperDom}}));
    return s.bytes();
}

std::string maps_resources_of_others(unsigned kind) {
    S s(kind | kPrivileged, 0);
    for (unsigned i = 0; i < 4; ++i) s.poke(kListPage, i, 48 + i);
    for (int type = 0; type < 4; ++type)
        for (int id = 0; id < 2; ++id) {
            s.call(kMemory, XENMEM_acquire_resource, {kHelperDom, type, id, 1, 0, kList});
            s.call(kMemory, XENMEM_acquire_resource, {kHelperDom, type, id, 3, 1, kList});
        }
    s.by_helper().call(kGrants, GNTTABOP_set_version, {2}, 0, {kOne}).by_hostile();
    s.call(kMemory, XENMEM_acquire_resource, {kHelperDom, XENMEM_resource_grant_table, 1, 1, 0, kList});
    return s.destroy(0).bytes();
}

std::string writes_under_the_dirty_log(unsigned kind) {
    S s(kind, kind);
    const unsigned kStart = 3, kEnd = 4;
    s.toolstack(kStart);
    map(s, kWindow, GNTMAP_host_map, 8, kBystanderDom);
    for (unsigned page = 0; page < kFrames; page += 3) s.poke(page, 1, page);
    s.call(kEvents, EVTCHNOP_init_control, {20, 0, 0});
    s.call(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, {10, 64}, 0, {0});
    s.by_helper();
    map(s, kWindow, GNTMAP_host_map, 9, kHostileDom).poke(kWindow, 3, 5);
    s.by_hostile().call(kMemory, XENMEM_decrease_reservation, {kList, 1, 0, 0, kSelf});
    return s.toolstack(kEnd).toolstack(kStart).toolstack(kEnd).bytes();
}

std::string every_parameter(unsigned kind) {
    S s(kind, kind & kOfHelper);
    for (int param = 0; param <= HVM_NR_PARAMS; ++param)
        for (const int value : {0, 1, 20}) {
            s.call(__HYPERVISOR_hvm_op, HVMOP_set_param, {kSelf, param, value});
            s.call(__HYPERVISOR_hvm_op, HVMOP_get_param, {kSelf, param});
        }
    return s.bytes();
}

}  // namespace

std::vector<HypercallSeed> hypercall_feature_seeds() {
    return {
        {"grants-of-version-2", grants_of_version_2(), 20},
        {"gives-frames-away", gives_frames_away(0), 8},
        {"gives-frames-away-backwards", gives_frames_away(kBackwardsOrder), 8},
        {"events-in-the-fifo-pvh", events_in_the_fifo(0), 60},
        {"events-in-the-fifo-pv", events_in_the_fifo(kPv), 60},
        {"exchanges-memory", exchanges_memory(), 4},
        {"memory-on-demand", memory_on_demand(0), 12},
        {"memory-on-demand-backwards", memory_on_demand(kBackwardsOrder), 12},
        {"maps-resources-of-others-pv", maps_resources_of_others(kPv), 16},
        {"maps-resources-of-others-pvh", maps_resources_of_others(0), 16},
        {"writes-under-the-dirty-log-pvh", writes_under_the_dirty_log(0), 4},
        {"writes-under-the-dirty-log-pv", writes_under_the_dirty_log(kPv), 4},
        {"every-parameter-hvm", every_parameter(kHvm), 100},
        {"every-parameter-control-domain", every_parameter(kPrivileged), 100},
    };
}

}  // namespace xenrig::fuzz
