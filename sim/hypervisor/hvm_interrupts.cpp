#include "sim/hypervisor/hvm_interrupts.h"

#include <algorithm>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/interrupts.h"
#include "xenrig/shared/raw.h"

namespace xenrig::hypervisor {

namespace {

constexpr unsigned kTypeShift = 56;
constexpr std::uint8_t kBroadcast = 0xff;

/// The pin of a device's interrupt (hvm_pci_intx_gsi), and its link to the ISA interrupts (hvm_pci_intx_link).
constexpr unsigned gsi_of(unsigned device, unsigned intx) { return ((device * 4 + device / 8 + intx) & 31) + 16; }
constexpr unsigned link_of(unsigned device, unsigned intx) { return (device + intx) & 3; }

bool is_pending(const Vcpu& v) { return shared::raw::load<std::uint8_t>(v.info + kUpcallPending) != 0; }

}  // namespace

bool HvmInterrupts::has_io_apic() const { return domain_.config.type == GuestType::hvm; }

HvmInterrupts::Via HvmInterrupts::parse(std::uint64_t value) {
    Via via;
    switch (value >> kTypeShift) {
        case HVM_PARAM_CALLBACK_TYPE_GSI:
            via.gsi = static_cast<std::uint8_t>(value);
            if (via.gsi != 0 && via.gsi < IoApic::kPins) via.type = Type::gsi;
            break;
        case HVM_PARAM_CALLBACK_TYPE_PCI_INTX:
            via.type = Type::pci_intx;
            via.device = static_cast<std::uint8_t>(value >> 11 & 31);
            via.intx = static_cast<std::uint8_t>(value & 3);
            break;
        case HVM_PARAM_CALLBACK_TYPE_VECTOR:
            via.type = Type::vector;
            via.vector = static_cast<std::uint8_t>(value);
            break;
        default:
            break;
    }
    return via;
}

void HvmInterrupts::set_callback(std::uint64_t value) {
    const Via via = parse(value);
    const bool by_type = value >> kTypeShift == HVM_PARAM_CALLBACK_TYPE_VECTOR;
    if (!by_type && !has_io_apic()) return;
    if (asserted_) lower();
    via_ = via;
    if (asserted_) raise();
    for (const auto& v : domain_.vcpus) v->interrupts_changed();
    for (const auto& v : domain_.vcpus)
        if (v->up) events_pending(*v);
}

bool HvmInterrupts::by_vector() const {
    return callback_vector() || (!domain_.vcpus.empty() && domain_.vcpus.front()->upcall_vector != 0);
}

void HvmInterrupts::events_pending(Vcpu& v) {
    if (v.upcall_vector != 0) {
        if (v.apic.enabled()) v.request_interrupt(v.upcall_vector, false);
    } else if (by_vector()) {
        v.wake();
    } else if (v.id.value == 0) {
        follow();
    }
}

void HvmInterrupts::exit() {
    if (asserted_ && !is_pending(*domain_.vcpus.front())) follow();
}

void HvmInterrupts::follow() {
    const bool pending = is_pending(*domain_.vcpus.front());
    if (asserted_ == pending) return;
    asserted_ = pending;
    asserted_ ? raise() : lower();
}

void HvmInterrupts::raise() {
    if (via_.type == Type::gsi) raise_gsi(via_.gsi);
    if (via_.type == Type::pci_intx) raise_intx(via_.device, via_.intx);
}

void HvmInterrupts::lower() {
    if (via_.type == Type::gsi) lower_gsi(via_.gsi);
    if (via_.type == Type::pci_intx) lower_intx(via_.device, via_.intx);
}

void HvmInterrupts::raise_gsi(unsigned gsi) {
    if (asserts_[gsi]++ != 0) return;
    if (const auto message = io_apic_.rises(gsi)) deliver(*message);
}

void HvmInterrupts::raise_intx(unsigned device, unsigned intx) {
    const std::size_t line = device * 4 + intx;
    if (intx_.test(line)) return;
    intx_.set(line);
    raise_gsi(gsi_of(device, intx));
    const unsigned link = link_of(device, intx);
    if (link_asserts_[link]++ == 0 && routes_[link] != 0) raise_gsi(routes_[link]);
}

void HvmInterrupts::lower_intx(unsigned device, unsigned intx) {
    const std::size_t line = device * 4 + intx;
    if (!intx_.test(line)) return;
    intx_.reset(line);
    lower_gsi(gsi_of(device, intx));
    const unsigned link = link_of(device, intx);
    if (--link_asserts_[link] == 0 && routes_[link] != 0) lower_gsi(routes_[link]);
}

void HvmInterrupts::deliver(const IoApicMessage& message) {
    for (const auto& v : domain_.vcpus)
        if (message.destination == v->apic.id() || message.destination == kBroadcast)
            v->request_interrupt(message.vector, message.level);
}

std::uint32_t HvmInterrupts::read(const Vcpu& v, std::uint64_t address) const {
    if (address / kPageSize == kLocalApic / kPageSize) return v.apic.read(address % kPageSize);
    if (has_io_apic() && address / kPageSize == kIoApic / kPageSize) return io_apic_.read(address % kPageSize);
    return ~0u;
}

void HvmInterrupts::write(Vcpu& v, std::uint64_t address, std::uint32_t value) {
    const auto is_up = [&](unsigned pin) { return up(pin); };
    const std::uint64_t offset = address % kPageSize;
    if (address / kPageSize == kLocalApic / kPageSize && offset == LocalApic::kSpurious) {
        v.apic.write_spurious(value);
        v.interrupts_changed();
    } else if (address / kPageSize == kLocalApic / kPageSize && offset == LocalApic::kEoi) {
        const auto vector = v.apic.end_of_interrupt();
        v.interrupts_changed();
        if (vector && has_io_apic())
            io_apic_.end_of_interrupt(*vector, is_up, [&](const IoApicMessage& message) { deliver(message); });
    } else if (has_io_apic() && address / kPageSize == kIoApic / kPageSize) {
        if (const auto message = io_apic_.write(offset, value, is_up)) deliver(*message);
    }
}

void HvmInterrupts::load(const Saved& saved) {
    io_apic_.load(saved.io_apic);
    routes_ = saved.routes;
}

}  // namespace xenrig::hypervisor
