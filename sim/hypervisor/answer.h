// A hypercall's answer as the guest's register holds it.
#pragma once

#include <cstdint>

#include "xenrig/abi/error.h"

namespace xenrig::hypervisor {

/// Hypercalls return an error negated: -error(Errno::inval).
constexpr std::int64_t error(Errno e) { return static_cast<std::int64_t>(e); }

}  // namespace xenrig::hypervisor
