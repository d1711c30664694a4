#include "sim/hypervisor/machine_interrupts.h"

#include <utility>

#include "sim/hypervisor/domain.h"

namespace xenrig::hypervisor {

MachineInterrupts::MachineInterrupts() {
    // The timer, the cascade of the old controllers, and the serial line on which the hypervisor's console is.
    constexpr Irq kTimer = 0, kCascade = 2, kSerial = 4;
    for (const Irq irq : {kTimer, kCascade, kSerial}) lines_[index(irq)].ours = true;
    for (const Irq irq : {kTimer, kSerial}) lines_[index(irq)].set_up = true;
}

bool MachineInterrupts::set_up(Irq irq, bool level) {
    Line& line = lines_[index(irq)];
    if (line.set_up) return false;
    line.set_up = true;
    line.level = level;
    return true;
}

bool MachineInterrupts::bind(Irq irq, Domain& to, bool share) {
    Line& line = lines_[index(irq)];
    if (line.ours || (!line.served_by.empty() && !(line.shareable && share))) return false;
    line.shareable = share;
    line.served_by.push_back(&to);
    return true;
}

void MachineInterrupts::unbind(Irq irq, Domain& from) {
    end(irq, from);
    std::erase(lines_[index(irq)].served_by, &from);
}

void MachineInterrupts::raise(Irq irq) {
    Line& line = lines_[index(irq)];
    if (!line.in_service.empty()) {
        line.up_again = true;
        return;
    }
    if (line.level) line.in_service = line.served_by;
    for (Domain* d : line.served_by) d->pirqs.deliver(irq);
}

void MachineInterrupts::end(Irq irq, Domain& by) {
    Line& line = lines_[index(irq)];
    if (std::erase(line.in_service, &by) == 0 || !line.in_service.empty()) return;
    if (std::exchange(line.up_again, false)) raise(irq);
}

}  // namespace xenrig::hypervisor
