// Where the 2-level ABI's bits lie in shared_info (xen.h, struct shared_info and struct vcpu_info), 64-bit layout.
#pragma once

#include <cstddef>
#include <cstdint>

#include "xenrig/abi/types.h"

extern "C" {
#include <xen/xen.h>
}

namespace xenrig::guest {

using Word = std::uint64_t;
static_assert(sizeof(xen_ulong_t) == sizeof(Word), "the guest is a 64-bit one");

constexpr std::size_t vcpu_info_at(VcpuId vcpu) {
    return offsetof(shared_info_t, vcpu_info) + vcpu.value * sizeof(vcpu_info_t);
}
constexpr std::size_t upcall_pending_at(VcpuId vcpu) {
    return vcpu_info_at(vcpu) + offsetof(vcpu_info_t, evtchn_upcall_pending);
}
constexpr std::size_t upcall_mask_at(VcpuId vcpu) {
    return vcpu_info_at(vcpu) + offsetof(vcpu_info_t, evtchn_upcall_mask);
}
constexpr std::size_t selector_at(VcpuId vcpu) {
    return vcpu_info_at(vcpu) + offsetof(vcpu_info_t, evtchn_pending_sel);
}
constexpr std::size_t pending_at(unsigned word) {
    return offsetof(shared_info_t, evtchn_pending) + word * sizeof(Word);
}
constexpr std::size_t mask_at(unsigned word) { return offsetof(shared_info_t, evtchn_mask) + word * sizeof(Word); }

constexpr unsigned word_of(Port port) { return port.value / 64; }
constexpr Word bit_of(Port port) { return Word{1} << port.value % 64; }

}  // namespace xenrig::guest
