// The small hypercalls: xen_version (kernel.c), vcpu_op (domain.c), console_io (console.c) and multicall (multicall.c).
#include <algorithm>
#include <array>
#include <cstring>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/shared_layout.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::int64_t kVersion = 4 << 16 | 17;
constexpr xen_extraversion_t kExtraVersion = ".5";

std::uint32_t features(const Domain& d) {
    const auto bit = [](unsigned feature) { return 1u << feature; };
    std::uint32_t map = bit(XENFEAT_memory_op_vnode_supported);
    if (d.privileged()) map |= bit(XENFEAT_dom0);
    if (d.translated())
        map |= bit(XENFEAT_writable_page_tables) | bit(XENFEAT_auto_translated_physmap) |
               bit(XENFEAT_hvm_safe_pvclock) | bit(XENFEAT_hvm_callback_vector) | bit(XENFEAT_not_direct_mapped);
    else
        map |= bit(XENFEAT_pae_pgdir_above_4gb) | bit(XENFEAT_mmu_pt_update_preserve_ad) | bit(XENFEAT_highmem_assist) |
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

/// Moves vcpu_info into the guest's own memory, once (domain.c: map_vcpu_info).
std::int64_t register_vcpu_info(Call& call, Vcpu& v) {
    vcpu_register_vcpu_info_t op;
    if (!call.fetch(op, 2)) return -error(Errno::fault);
    if (op.offset > kPageSize - kVcpuInfoBytes || op.offset % alignof(vcpu_info_t) != 0) return -error(Errno::inval);
    if (v.info_frame) return -error(Errno::inval);
    const auto mfn = call.host.guest_frame(call.domain, op.mfn);
    if (!mfn || call.host.memory.kind(*mfn) != FrameKind::ram) return -error(Errno::inval);
    call.host.memory.get(*mfn);
    v.info_frame = *mfn;
    std::byte* to = call.host.memory.page(*mfn) + op.offset;
    std::memcpy(to, v.info, kVcpuInfoBytes);
    v.info = to;
    call.host.mark_dirty(call.domain, *mfn);
    // Whatever came in on the way must be looked at: everything is pending now.
    for (unsigned word = 0; word < call.domain.layout().word_bits; ++word) v.set_selector(word);
    v.mark_events_pending();
    return 0;
}

}  // namespace

std::int64_t xen_version(Call& call) {
    switch (static_cast<std::uint32_t>(call.arg(0))) {
        case XENVER_version:
            return kVersion;
        case XENVER_extraversion:
            return call.put(kExtraVersion) ? 0 : -error(Errno::fault);
        case XENVER_get_features:
            return get_features(call);
        case XENVER_pagesize:
            return static_cast<std::int64_t>(kPageSize);
        case XENVER_guest_handle: {
            const std::array<std::uint8_t, 16> handle{};
            return call.put(handle) ? 0 : -error(Errno::fault);
        }
        default:
            return -error(Errno::nosys);
    }
}

std::int64_t vcpu_op(Call& call) {
    const auto op = static_cast<std::int32_t>(call.arg(0));
    Vcpu* v = call.domain.vcpu(VcpuId{static_cast<std::uint32_t>(call.arg(1))});
    if (!v) return -error(Errno::noent);
    switch (op) {
        case VCPUOP_is_up:
            return v->up ? 1 : 0;
        case VCPUOP_register_vcpu_info:
            return register_vcpu_info(call, *v);
        default:
            return -error(Errno::nosys);
    }
}

std::int64_t console_io(Call& call) {
    constexpr std::uint32_t kWrite = CONSOLEIO_write, kRead = CONSOLEIO_read;
    const auto op = static_cast<std::uint32_t>(call.arg(0));
    if (!call.domain.privileged() && !(call.host.config.verbose_debug && op == kWrite)) return -error(Errno::perm);
    if (op == kRead) return 0;
    if (op != kWrite) return -error(Errno::nosys);
    std::array<char, 128> part;
    std::uint64_t at = call.arg(2);
    for (auto left = static_cast<std::uint32_t>(call.arg(1)); left != 0;) {
        const auto n = std::min<std::uint32_t>(left, part.size());
        if (!call.guest.copy_from_guest(part.data(), at, n)) return -error(Errno::fault);
        call.domain.console.append(part.data(), n);
        left -= n, at += n;
    }
    return 0;
}

std::int64_t multicall(Call& call) {
    if (call.vcpu.in_multicall) return -error(Errno::inval);
    const auto count = static_cast<std::uint32_t>(call.arg(1));
    call.vcpu.in_multicall = true;
    std::int64_t answer = 0;
    for (std::uint32_t i = 0; i < count && answer == 0; ++i) {
        const std::uint64_t at = call.arg(0) + std::uint64_t{i} * sizeof(multicall_entry_t);
        multicall_entry_t entry;
        if (!call.guest.fetch(entry, at)) {
            answer = -error(Errno::fault);
            break;
        }
        HypercallArgs args;
        std::copy_n(entry.args, args.size(), args.begin());
        Call one{call.host, call.domain, call.vcpu, call.guest, args};
        const Handler handler = entry.op < 64 ? handler_of(static_cast<unsigned>(entry.op)) : nullptr;
        const std::int64_t result = handler ? handler(one) : -error(Errno::nosys);
        entry.result = static_cast<xen_ulong_t>(result);
        if (!call.guest.put(at + offsetof(multicall_entry_t, result), entry.result)) answer = -error(Errno::fault);
    }
    call.vcpu.in_multicall = false;
    return answer;
}

}  // namespace xenrig::hypervisor
