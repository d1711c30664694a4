// The operations of __HYPERVISOR_memory_op, by topic. Each answers as the hypercall does.
//
// `start` is where a preempted call goes on, in the upper bits of its operation. Nothing is preempted here, so that it
// is what a guest makes up; Xen's checks of it are kept (memory.c: do_memory_op).
#pragma once

#include <cstdint>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

struct Call;

/// Operations that memory.h shows to tools alone.
enum ToolMemoryOp : std::uint32_t {
    kGetSharingFreedPages = 18,
    kGetSharingSharedPages = 19,
    kAccessOp = 21,
    kClaimPages = 24,
    kReservedDeviceMemoryMap = 27,
};

// reservation.cpp
std::int64_t increase_reservation(Call& call, std::uint32_t start);
std::int64_t decrease_reservation(Call& call, std::uint32_t start);
std::int64_t populate_physmap(Call& call, std::uint32_t start);
/// Where frames that the caller asks for have to end, by XENMEMF_address_bits and XENMEMF_node; nothing when the flags
/// can't be met. There is one memory node, 0, and only a control domain's wish for it counts (propagate_node).
bool within_address_bits(const Call& call, unsigned flags, Mfn& limit);
bool within_node(const Call& call, unsigned flags, Mfn& limit);
/// The highest order of an extent that the caller may name (memory.c: max_order).
unsigned order_max(const Call& call);

// memory_exchange.cpp
std::int64_t memory_exchange(Call& call);

// physmap_op.cpp
std::int64_t add_to_physmap(Call& call, std::uint32_t start);
std::int64_t add_to_physmap_batch(Call& call, std::uint32_t start);
std::int64_t remove_from_physmap(Call& call);

// acquire_resource.cpp
std::int64_t acquire_resource(Call& call, std::uint32_t start);

// memory_map_op.cpp
std::int64_t memory_map(Call& call);
std::int64_t set_memory_map(Call& call);
std::int64_t machine_memory_map(Call& call);
std::int64_t machphys_mapping(Call& call);
std::int64_t machphys_mfn_list(Call& call);
std::int64_t machphys_compat_mfn_list(Call& call);

// memory_domain_op.cpp: what a toolstack asks about a domain's memory.
std::int64_t pod_target(Call& call, bool set);
std::int64_t claim_pages(Call& call);
std::int64_t get_vnumainfo(Call& call);
std::int64_t reserved_device_memory_map(Call& call);
std::int64_t access_op(Call& call);

}  // namespace xenrig::hypervisor
