// The state in which a PV vCPU starts or goes on: its registers, page tables, descriptors and callbacks, in one struct
// that a toolstack or the guest itself gives (x86/domain.c: arch_set_info_guest; x86/domctl.c: arch_get_info_guest).
#pragma once

#include <cstdint>

#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

class GuestAccess;
class Vcpu;

/// Loads the tables and keeps the rest. A vCPU that has tables already keeps them and its descriptors: EOPNOTSUPP for
/// others. 0 or a negated Errno.
std::int64_t set_pv_context(Vcpu& v, const vcpu_guest_context_t& context);
/// What was said last, with what the guest's hypercalls have changed since.
vcpu_guest_context_t pv_context(const Vcpu& v);

/// A toolstack names another domain's context in that domain's layout; false for a fault.
[[nodiscard]] bool fetch_context(GuestAccess& caller, const Vcpu& of, std::uint64_t at, vcpu_guest_context_t& context);
[[nodiscard]] bool put_context(GuestAccess& caller, const Vcpu& of, std::uint64_t at,
                               const vcpu_guest_context_t& context);

/// An event that nobody masks and that the guest has no handler for: Xen finds none to call, and crashes it
/// (x86_64/entry.S: create_bounce_frame).
bool upcall_is_fatal(const Vcpu& v);

}  // namespace xenrig::hypervisor
