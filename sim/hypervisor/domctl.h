// __HYPERVISOR_domctl by topic: what a toolstack does to one domain (common/domctl.c, x86/domctl.c).
//
// Each takes the domain that was named and the operation's copy; what it puts there goes back when it says so.
#pragma once

#include <cstdint>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/tools_abi.h"

namespace xenrig::hypervisor {

class Domain;

struct Domctl {
    Call& call;
    /// Null for those that name none.
    Domain* domain;
    xen_domctl_t& op;
    /// The operation is copied back to the caller.
    bool answered = false;
};

std::int64_t create_domain(Domctl& d);
/// getdomaininfo(): also sysctl's.
void describe(const Domain& d, xen_domctl_getdomaininfo& info);
/// ENOSYS for commands about no vCPU.
std::int64_t vcpu_domctl(Domctl& d);
/// Memory: the reservation, page types, the dirty log. ENOSYS for the others.
std::int64_t memory_domctl(Domctl& d);
/// An HVM domain's virtual hardware. ENOSYS for the others.
std::int64_t hvm_domctl(Domctl& d);
/// What is answered without anything behind it: devices, interrupts, policies. ENOSYS for the rest.
std::int64_t machine_domctl(Domctl& d);

/// A bitmap of the caller's, of which `bits` is the one word that we have; what lies beyond is zero.
std::int64_t put_bitmap(Call& call, const xenctl_bitmap& to, std::uint64_t bits, unsigned bits_had);
/// Nothing where it can't be read.
std::int64_t fetch_bitmap(Call& call, const xenctl_bitmap& from, std::uint64_t& bits, unsigned bits_had);

}  // namespace xenrig::hypervisor
