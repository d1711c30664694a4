// What an image says of a domain, on both ends: the values that Writer takes and Reader gives.
//
// Names and meanings are those of docs/specs/libxc-migration-stream; structs that stand in the file as they are say so.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sim/image/format.h"
#include "xenrig/abi/types.h"

namespace xenrig::image {

/// As the domain header has it; a PVH guest is an HVM one.
enum class GuestType : std::uint32_t { pv = 1, hvm = 2 };

struct ImageInfo {
    GuestType type = GuestType::hvm;
    std::uint32_t xen_major = 4, xen_minor = 17;
    std::uint16_t page_shift = 12;

    friend bool operator==(const ImageInfo&, const ImageInfo&) = default;
};

/// XEN_DOMCTL_PFINFO_* (domctl.h), shifted down: page tables carry pfns where the guest has mfns.
enum class PageType : std::uint8_t {
    normal = 0x0,
    l1 = 0x1,
    l2 = 0x2,
    l3 = 0x3,
    l4 = 0x4,
    l1_pinned = 0x9,
    l2_pinned = 0xa,
    l3_pinned = 0xb,
    l4_pinned = 0xc,
    broken = 0xd,
    allocate_only = 0xe,  ///< populate it, there is no content: a page that was never written
    invalid = 0xf,        ///< left the guest's memory while it was being copied
};

constexpr bool is_known(PageType t) {
    return t <= PageType::l4 || (t >= PageType::l1_pinned && t <= PageType::invalid);
}
constexpr bool has_data(PageType t) { return t < PageType::broken; }

/// `data` is kPageSize bytes, null exactly where the type has none.
struct Page {
    Gfn gfn;
    const std::byte* data = nullptr;
    PageType type = PageType::normal;
};

/// HVMOP_set_param's two (hvm/params.h); stands in the file as it is.
struct HvmParam {
    std::uint64_t index = 0, value = 0;

    friend bool operator==(const HvmParam&, const HvmParam&) = default;
};

struct PvInfo {
    std::uint8_t guest_width = 8;  ///< bytes of a guest's word: 4 or 8
    std::uint8_t pt_levels = 4;    ///< 3 or 4

    friend bool operator==(const PvInfo&, const PvInfo&) = default;
};

/// State that only the hypervisor interprets, by the record that carries it.
enum class MachineState : std::uint32_t {
    vcpu_basic = static_cast<std::uint32_t>(LibxcRecord::vcpu_basic),        ///< PV, of one vCPU
    vcpu_extended = static_cast<std::uint32_t>(LibxcRecord::vcpu_extended),  ///< PV, of one vCPU
    vcpu_xsave = static_cast<std::uint32_t>(LibxcRecord::vcpu_xsave),        ///< PV, of one vCPU
    vcpu_msrs = static_cast<std::uint32_t>(LibxcRecord::vcpu_msrs),          ///< PV, of one vCPU
    shared_info = static_cast<std::uint32_t>(LibxcRecord::shared_info),      ///< PV, one page
    tsc_info = static_cast<std::uint32_t>(LibxcRecord::tsc_info),            ///< 24 bytes
    hvm_context = static_cast<std::uint32_t>(LibxcRecord::hvm_context),      ///< HVM: hvm/save.h
    cpuid_policy = static_cast<std::uint32_t>(LibxcRecord::cpuid_policy),    ///< static; xen_cpuid_leaf_t[]
    msr_policy = static_cast<std::uint32_t>(LibxcRecord::msr_policy),        ///< static; xen_msr_entry_t[]
};

}  // namespace xenrig::image
