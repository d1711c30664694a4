#include "apic.h"

#include "xenrig/abi/interrupts.h"

namespace xenrig::guest {

namespace {

constexpr std::uint64_t kId = kLocalApic + 0x20, kEoi = kLocalApic + 0xb0, kSpurious = kLocalApic + 0xf0;
constexpr std::uint32_t kSpuriousVector = 0xff, kEnable = 0x100;
/// The chosen register is behind the window; each pin has two, from 0x10 on.
constexpr std::uint64_t kSelect = kIoApic, kWindow = kIoApic + 0x10;
constexpr std::uint32_t kFirstEntry = 0x10, kLevel = 1 << 15, kActiveLow = 1 << 13;

void write_io_apic(Interrupts& vcpu, std::uint32_t number, std::uint32_t value) {
    vcpu.write_register(kSelect, number);
    vcpu.write_register(kWindow, value);
}

}  // namespace

void enable_local_apic(Interrupts& vcpu) { vcpu.write_register(kSpurious, kEnable | kSpuriousVector); }

void end_of_interrupt(Interrupts& vcpu) { vcpu.write_register(kEoi, 0); }

void route_level_line(Interrupts& vcpu, unsigned gsi, std::uint8_t vector) {
    const std::uint32_t low = kFirstEntry + 2 * gsi;
    // Where to first: the lower half unmasks.
    write_io_apic(vcpu, low + 1, vcpu.read_register(kId));
    write_io_apic(vcpu, low, kLevel | kActiveLow | vector);
}

}  // namespace xenrig::guest
