// A guest's own view of its memory: where the frame behind a gfn lies in this process right now.
//
// Provided by whoever runs the guest (sim: the domain's physical-to-machine map). The answer holds until the next
// choice point only: guest code keeps the gfn and asks again. A guest's linear address is gfn * 4096 + offset.
#pragma once

#include <cstddef>

#include "xenrig/abi/types.h"

namespace xenrig {

class AddressSpace {
public:
    virtual ~AddressSpace() = default;
    /// Null where nothing is populated or mapped.
    virtual std::byte* page(Gfn gfn) = 0;
    /// The guest wrote its own payload there: the log of a live migration must know.
    virtual void mark_dirty(Gfn gfn) = 0;
};

}  // namespace xenrig
