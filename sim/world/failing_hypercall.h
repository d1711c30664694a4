// The hypercalls with which an end of a device takes something or tells its peer: those that Xen may refuse.
//
// What is given back (unmap, close, unmask) is none of them: Xen refuses these only when they name what the caller does
// not have. Nor is the connection to the store, without which nobody could say what went wrong.
#pragma once

#include <cstdint>

#include "xenrig/abi/hypercall.h"

namespace xenrig::hypervisor {
class GuestAccess;
}

namespace xenrig::world {

/// `store_port`: the caller's event channel to the store.
bool takes_or_tells(unsigned number, const HypercallArgs& args, hypervisor::GuestAccess& caller,
                    std::uint64_t store_port);

}  // namespace xenrig::world
