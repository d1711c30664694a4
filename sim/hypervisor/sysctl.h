// __HYPERVISOR_sysctl by topic: what a toolstack asks of a whole host.
#pragma once

#include <cstdint>

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/tools_abi.h"

namespace xenrig::hypervisor {

struct Sysctl {
    Call& call;
    xen_sysctl_t& op;
    /// The operation is copied back where it went well.
    bool answered = true;
};

template <class T>
std::uint64_t address(const T* p) {
    return reinterpret_cast<std::uint64_t>(p);
}

/// All processors are on the only node.
inline constexpr std::uint32_t kNodes = 1;

/// Pools of processors.
std::int64_t cpupool_op(Sysctl& s);
/// The machine's hardware: topology, devices, power, patches. ENOSYS for the other commands.
std::int64_t machine_sysctl(Sysctl& s);

}  // namespace xenrig::hypervisor
