// A hypercall that fails because a test wants it to: no answer of Xen's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "xenrig/abi/hypercall.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class GuestAccess;

/// Asked before each hypercall of a living domain, with the caller's memory: what it answers instead of being done.
using HypercallFault =
    std::function<std::optional<std::int64_t>(DomId, unsigned number, const HypercallArgs&, GuestAccess&)>;

}  // namespace xenrig::hypervisor
