// __HYPERVISOR_xen_version (kernel.c: do_xen_version; xsm/dummy.h: xsm_xen_version).
#include <array>
#include <cstring>
#include <string_view>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::int64_t kVersion = 4 << 16 | 17;
constexpr xen_extraversion_t kExtraVersion = ".5";
constexpr std::size_t kBuildIdBytes = 20;
/// Where Xen's own part of a 64-bit guest's address space begins.
constexpr xen_ulong_t kVirtStart = 0xffff'8000'0000'0000;

std::uint32_t features(const Domain& d) {
    const auto bit = [](unsigned feature) { return 1u << feature; };
    std::uint32_t map = bit(XENFEAT_memory_op_vnode_supported);
    if (d.privileged()) map |= bit(XENFEAT_dom0);
    if ((d.vm_assist >> VMASST_TYPE_pae_extended_cr3 & 1) != 0) map |= bit(XENFEAT_pae_pgdir_above_4gb);
    if (d.config.type == GuestType::hvm) map |= bit(XENFEAT_hvm_pirqs);
    if (d.translated())
        map |= bit(XENFEAT_writable_page_tables) | bit(XENFEAT_auto_translated_physmap) |
               bit(XENFEAT_hvm_safe_pvclock) | bit(XENFEAT_hvm_callback_vector) | bit(XENFEAT_not_direct_mapped);
    else
        map |= bit(XENFEAT_mmu_pt_update_preserve_ad) | bit(XENFEAT_highmem_assist) |
               bit(XENFEAT_gnttab_map_avail_bits) | bit(XENFEAT_direct_mapped);
    return map;
}

std::int64_t get_features(Call& call) {
    xen_feature_info_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.submap_idx >= XENFEAT_NR_SUBMAPS) return -error(Errno::inval);
    op.submap = features(call.domain);
    return call.put(op) ? 0 : -error(Errno::fault);
}

/// Texts tell nothing of a build.
template <std::size_t N>
std::int64_t put_text(Call& call, std::string_view text) {
    std::array<char, N> field{};
    text.copy(field.data(), N - 1);
    return call.put(field) ? 0 : -error(Errno::fault);
}

std::int64_t compile_info(Call& call) {
    xen_compile_info_t info{};
    std::strncpy(info.compiler, "xenrig", sizeof info.compiler - 1);
    return call.put(info) ? 0 : -error(Errno::fault);
}

std::int64_t build_id(Call& call) {
    if (!call.domain.privileged()) return -error(Errno::perm);
    if (call.arg(1) == 0) return kBuildIdBytes;
    std::uint32_t room = 0;
    if (!call.fetch(room)) return -error(Errno::fault);
    if (room == 0) return -error(Errno::inval);
    if (room < kBuildIdBytes) return -error(Errno::nobufs);
    const std::array<std::byte, kBuildIdBytes> id{};
    return call.guest.put(call.arg(1) + sizeof room, id) ? kBuildIdBytes : -error(Errno::fault);
}

/// HYPERVISOR_VIRT_START, and HYPERVISOR_COMPAT_VIRT_START of a 32-bit PV guest.
xen_ulong_t virt_start(const Domain& d) {
    constexpr xen_ulong_t kCompat = 0xf580'0000;
    return d.config.bits == 32 && !d.translated() ? kCompat : kVirtStart;
}

}  // namespace

std::int64_t xen_version(Call& call) {
    switch (static_cast<std::uint32_t>(call.arg(0))) {
        case XENVER_version:
            return kVersion;
        case XENVER_extraversion:
            return call.put(kExtraVersion) ? 0 : -error(Errno::fault);
        case XENVER_compile_info:
            return compile_info(call);
        case XENVER_capabilities:
            return put_text<sizeof(xen_capabilities_info_t)>(call, "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_64 ");
        case XENVER_changeset:
            return put_text<sizeof(xen_changeset_info_t)>(call, "");
        case XENVER_platform_parameters:
            return call.put(xen_platform_parameters_t{virt_start(call.domain)}) ? 0 : -error(Errno::fault);
        case XENVER_get_features:
            return get_features(call);
        case XENVER_pagesize:
            return call.arg(1) == 0 ? static_cast<std::int64_t>(kPageSize) : -error(Errno::inval);
        case XENVER_guest_handle:
            return call.put(call.domain.handle) ? 0 : -error(Errno::fault);
        case XENVER_commandline:
            // Not a byte more is written to who has no right to it.
            return call.domain.privileged() ? put_text<sizeof(xen_commandline_t)>(call, "")
                                            : put_text<sizeof "<denied>">(call, "<denied>");
        case XENVER_build_id:
            return build_id(call);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
