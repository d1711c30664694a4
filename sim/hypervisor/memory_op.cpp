// __HYPERVISOR_memory_op (memory.c: do_memory_op; x86/mm.c: xenmem_add_to_physmap_one).
#include "sim/hypervisor/memory_op.h"
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/shared_words.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// The number of an operation is its low bits; where a preempted one goes on stands above them.
constexpr unsigned kExtentShift = 6;
constexpr std::uint32_t kOpMask = (1u << kExtentShift) - 1;

template <class Read>
std::int64_t about_domain(Call& call, Read read) {
    domid_t dom;
    if (!call.fetch(dom)) return -error(Errno::fault);
    const Domain* d = call.host.find_any(DomId{dom}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    return static_cast<std::int64_t>(read(*d));
}

/// A PV guest says itself how far its p2m goes (arch_shared_info: max_pfn).
std::uint64_t maximum_gpfn(const Domain& d) {
    if (d.translated()) return d.physmap.highest().value;
    const std::byte* at = d.shared_info + d.layout().max_pfn;
    const std::uint64_t pfns =
        d.config.bits == 32 ? shared::raw::load<std::uint32_t>(at) : shared::raw::load<std::uint64_t>(at);
    return pfns == 0 ? 0 : pfns - 1;
}

/// Common code refuses a place to go on where there can be none; the architecture's looks its operations up with the
/// place as part of their number, and does not find them (x86: arch_memory_op).
std::int64_t nowhere_to_go_on(std::uint32_t operation) {
    switch (operation) {
        case XENMEM_exchange:
        case XENMEM_maximum_ram_page:
        case XENMEM_current_reservation:
        case XENMEM_maximum_reservation:
        case XENMEM_maximum_gpfn:
        case XENMEM_remove_from_physmap:
        case kClaimPages:
        case XENMEM_get_vnumainfo:
        case kReservedDeviceMemoryMap:
            return -error(Errno::inval);
        default:
            return -error(Errno::nosys);
    }
}

std::int64_t in_one_step(Call& call, std::uint32_t operation) {
    switch (operation) {
        case XENMEM_exchange:
            return memory_exchange(call);
        case XENMEM_maximum_ram_page:
            return static_cast<std::int64_t>(call.host.memory.end().value);
        case XENMEM_current_reservation:
            return about_domain(call, [](const Domain& d) { return d.frames; });
        case XENMEM_maximum_reservation:
            return about_domain(call, [](const Domain& d) { return d.max_frames; });
        case XENMEM_maximum_gpfn:
            return about_domain(call, maximum_gpfn);
        case XENMEM_remove_from_physmap:
            return remove_from_physmap(call);
        case kClaimPages:
            return claim_pages(call);
        case XENMEM_get_vnumainfo:
            return get_vnumainfo(call);
        case kReservedDeviceMemoryMap:
            return reserved_device_memory_map(call);
        case XENMEM_machphys_mfn_list:
            return machphys_mfn_list(call);
        case XENMEM_machphys_compat_mfn_list:
            return machphys_compat_mfn_list(call);
        case XENMEM_machphys_mapping:
            return machphys_mapping(call);
        case XENMEM_memory_map:
            return memory_map(call);
        case XENMEM_set_memory_map:
            return set_memory_map(call);
        case XENMEM_machine_memory_map:
            return machine_memory_map(call);
        case XENMEM_set_pod_target:
            return pod_target(call, true);
        case XENMEM_get_pod_target:
            return pod_target(call, false);
        case kGetSharingFreedPages:
        case kGetSharingSharedPages:
            // No domain shares a page: that takes a build that can (CONFIG_MEM_SHARING).
            return 0;
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace

std::int64_t memory_op(Call& call) {
    const auto command = static_cast<std::uint32_t>(call.arg(0));
    const std::uint32_t start = command >> kExtentShift, operation = command & kOpMask;
    switch (operation) {
        case XENMEM_increase_reservation:
            return increase_reservation(call, start);
        case XENMEM_decrease_reservation:
            return decrease_reservation(call, start);
        case XENMEM_populate_physmap:
            return populate_physmap(call, start);
        case XENMEM_add_to_physmap:
            return add_to_physmap(call, start);
        case XENMEM_add_to_physmap_batch:
            return add_to_physmap_batch(call, start);
        case XENMEM_acquire_resource:
            return acquire_resource(call, start);
        case kAccessOp:
            return access_op(call);
        default:
            return start != 0 ? nowhere_to_go_on(operation) : in_one_step(call, operation);
    }
}

}  // namespace xenrig::hypervisor
