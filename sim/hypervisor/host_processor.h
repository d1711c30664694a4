// The processor of every simulated host: a plain AMD one of 64 bits with nested paging, as QEMU's qemu64,+npt is, which
// answers the comparisons with Xen; and what Xen makes of it for its domains.
#pragma once

#include <cstdint>

#include "sim/hypervisor/cpu_policy.h"

namespace xenrig::hypervisor {

/// XEN_SYSCTL_cpu_policy_*
enum class SystemPolicy : std::uint8_t { raw, host, pv_max, hvm_max, pv_default, hvm_default };
inline constexpr std::uint32_t kSystemPolicies = 6;

const CpuPolicy& system_policy(SystemPolicy which);

/// What CPUID masks the processor has (LCAP_*): features can be hidden from PV guests in leaves 1 and 0x80000001, CPUID
/// can't be made to fault.
inline constexpr std::uint32_t kLevellingCaps = 0x19e;
/// Of time stamps; kHz.
inline constexpr std::uint32_t kTscKhz = 1'000'000;

}  // namespace xenrig::hypervisor
