#include "xenrig/abi/shared_layout.h"

#include <cstddef>

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/foreign/x86_32.h>
}

namespace xenrig {

namespace {

/// What both have at the same place, in one of them.
template <class SharedInfo, class VcpuInfo>
constexpr bool is_alike() {
    return offsetof(SharedInfo, evtchn_pending) == kVcpuInfosBytes && sizeof(VcpuInfo) == kVcpuInfoBytes &&
           offsetof(VcpuInfo, evtchn_upcall_pending) == kUpcallPending &&
           offsetof(VcpuInfo, evtchn_upcall_mask) == kUpcallMask && offsetof(VcpuInfo, time) == kVcpuTime &&
           sizeof(VcpuInfo::time) == sizeof(vcpu_time_info_t);
}

template <class SharedInfo, class VcpuInfo>
constexpr bool is_layout(const SharedLayout& layout) {
    return is_alike<SharedInfo, VcpuInfo>() && layout.evtchn_pending == offsetof(SharedInfo, evtchn_pending) &&
           layout.evtchn_mask == offsetof(SharedInfo, evtchn_mask) &&
           layout.max_pfn == offsetof(SharedInfo, arch.max_pfn) &&
           layout.pending_sel == offsetof(VcpuInfo, evtchn_pending_sel) &&
           layout.word_bytes() * layout.word_bits == sizeof(SharedInfo::evtchn_pending);
}

static_assert(is_layout<shared_info_x86_32, vcpu_info_x86_32>(kLayout32));
// Debian's xen/foreign/x86_64.h does not compile; this program is a 64-bit one, so that xen.h itself will do.
static_assert(is_layout<shared_info_t, vcpu_info_t>(kLayout64));

}  // namespace

const SharedLayout& shared_layout(unsigned bits) { return bits == 32 ? kLayout32 : kLayout64; }

}  // namespace xenrig
