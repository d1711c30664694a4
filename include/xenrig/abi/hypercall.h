// The seam between a guest and its hypervisor: a hypercall number and five arguments, as a guest's registers hold them.
//
// The guest's side: structs are libxen-dev's own, passed by the address they have in the caller's own address space;
// the answer is the signed word that Xen leaves in the first register (0 or positive, or a negated Errno).
// Source: arch-x86/xen-x86_64.h ("Hypercall interface"), xen.h (__HYPERVISOR_*).
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

namespace xenrig {

/// rdi, rsi, rdx, r10, r8 of a 64-bit caller; ebx, ecx, edx, esi, edi of a 32-bit one.
using HypercallArgs = std::array<std::uint64_t, 5>;

/// What a guest kernel makes its hypercalls on: one object for each vCPU.
class Hypercalls {
public:
    virtual ~Hypercalls() = default;
    virtual std::int64_t call(unsigned number, const HypercallArgs& args) = 0;
};

/// An argument as a register holds it: an address for a pointer, the value for a number.
template <class T>
std::uint64_t hypercall_arg(T v) {
    if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<std::uintptr_t>(v);
    else
        return static_cast<std::uint64_t>(v);
}

/// hypercall(h, __HYPERVISOR_event_channel_op, EVTCHNOP_send, &send)
template <class... A>
std::int64_t hypercall(Hypercalls& h, unsigned number, A... args) {
    static_assert(sizeof...(A) <= 5, "Xen's hypercalls take at most five arguments");
    return h.call(number, HypercallArgs{hypercall_arg(args)...});
}

}  // namespace xenrig
