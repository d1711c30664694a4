// A PV guest's view of its memory: its linear addresses go through page tables of its own, and the machine-to-physical
// table is there for it to read (xen.h: MACH2PHYS_VIRT_START).
//
// page(gfn) is what the page tables map at a base of the guest's choosing + gfn * 4096: what a kernel maps there one to
// one is its memory by pseudo-physical number, and what it maps behind that has a number as well. Provided by whoever
// runs the guest; an answer holds until the next choice point.
#pragma once

#include "xenrig/abi/address_space.h"

namespace xenrig {

class PvAddressSpace : public AddressSpace {
public:
    /// INVALID_M2P_ENTRY: the frame is nobody's memory.
    static constexpr Gfn kNowhere{~0ull};

    /// Where the frame's owner has it, whoever that is: who wants to know whether it is its own looks at its p2m.
    virtual Gfn machine_to_phys(Mfn mfn) const = 0;
};

}  // namespace xenrig
