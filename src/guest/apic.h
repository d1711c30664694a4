// A kernel's driver of the interrupt controllers, as little as events need: Intel's local APIC and IO-APIC
// (abi/interrupts.h says what of them there is).
#pragma once

#include <cstdint>

namespace xenrig {
class Interrupts;
}

namespace xenrig::guest {

/// The local APIC takes interrupts from now on.
void enable_local_apic(Interrupts& vcpu);
/// The highest interrupt in service is over.
void end_of_interrupt(Interrupts& vcpu);
/// A level line of the IO-APIC goes to this vCPU, unmasked, as `vector`; its line may be up already.
void route_level_line(Interrupts& vcpu, unsigned gsi, std::uint8_t vector);

}  // namespace xenrig::guest
