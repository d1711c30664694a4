// The commands about processors' policies: domctl get_cpu_policy and set_cpu_policy, sysctl get_cpu_policy,
// get_cpu_featureset and get_cpu_levelling_caps (x86/domctl.c: update_domain_cpu_policy; x86/sysctl.c).
#pragma once

#include <cstdint>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/tools_abi.h"

namespace xenrig::hypervisor {

struct CpuPolicy;
struct Domctl;

/// What a domain's processor says of itself now.
CpuPolicy policy_of(const Domain& d);

std::int64_t get_cpu_policy(Domctl& d);
std::int64_t set_cpu_policy(Domctl& d);

/// These put their answers back by themselves, field by field, as Xen does: also where they fail.
std::int64_t get_system_policy(Call& call, xen_sysctl_t& op);
std::int64_t get_featureset(Call& call, xen_sysctl_t& op);

}  // namespace xenrig::hypervisor
