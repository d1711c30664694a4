// What two parts of a host know of each other, held against each other: both ends of a channel, a port and its VIRQ or
// pirq, a mapping's handle and the pins of the grant behind it, an entry of a physical map and a handle that allows it.
//
// For audits: it changes nothing, and holds between hypercalls.
#pragma once

#include <string>

namespace xenrig::hypervisor {

class Host;

/// The first thing that its other half does not know of, as a sentence; empty when there is none.
std::string wrong_binding(const Host& host);

}  // namespace xenrig::hypervisor
