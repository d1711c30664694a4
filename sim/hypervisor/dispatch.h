// The way into the hypervisor: one hypercall from its entry to what its caller gets back.
#pragma once

#include <cstdint>

#include "xenrig/abi/hypercall.h"

namespace xenrig::hypervisor {

class GuestAccess;
class Vcpu;

/// A choice point, then the operation as one step, then the wait that it asked for, outside the hypervisor. Counted and
/// traced. A dead or dying domain is refused with EPERM, whatever it asks.
std::int64_t dispatch(Vcpu& caller, GuestAccess& guest, unsigned number, const HypercallArgs& args);

}  // namespace xenrig::hypervisor
