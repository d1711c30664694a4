#include "sim/hypervisor/pirqs.h"

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/shared_words.h"
#include "sim/hypervisor/xen_abi.h"

#include <xen/physdev.h>

namespace xenrig::hypervisor {

Pirqs::Pirqs(Host& host, Domain& domain) : host_(host), domain_(domain) {
    constexpr Irq kTimer = 0;
    if (domain.config.privileged) permitted_.set().reset(kTimer);
}

std::int32_t Pirqs::count() const {
    // Of an ordinary domain's, 32 are beyond the lines.
    constexpr std::int32_t kExtra = 32;
    return domain_.privileged() ? std::int32_t{MachineInterrupts::kIrqs} : MachineInterrupts::kLines + kExtra;
}

Irq Pirqs::irq_of(std::int64_t pirq) const {
    const auto found = pirqs_.find(static_cast<std::int32_t>(pirq));
    return found == pirqs_.end() ? 0 : found->second.irq;
}

std::int32_t Pirqs::pirq_of(Irq irq) const {
    const auto found = by_irq_.find(irq);
    return found == by_irq_.end() ? 0 : found->second;
}

bool Pirqs::free(std::int32_t pirq) const {
    const auto found = pirqs_.find(pirq);
    return found == pirqs_.end() || (found->second.irq == 0 && !found->second.line);
}

bool Pirqs::is_virtual(std::int32_t pirq) const {
    const auto found = pirqs_.find(pirq);
    return found != pirqs_.end() && found->second.line;
}

std::int64_t Pirqs::find_free(bool for_line) {
    // Below are the numbers that the old interrupt controllers had.
    constexpr std::int32_t kFirst = 16;
    for (std::int32_t pirq = kFirst; for_line && pirq < MachineInterrupts::kLines; ++pirq)
        if (free(pirq)) return pirq;
    for (std::int32_t pirq = count() - 1; pirq >= MachineInterrupts::kLines; --pirq)
        if (free(pirq)) return pirq;
    return -error(Errno::nospc);
}

std::int64_t Pirqs::allocate(bool for_line) {
    const std::int64_t pirq = find_free(for_line);
    if (pirq >= 0) pirqs_[static_cast<std::int32_t>(pirq)].irq = kReserved;
    return pirq;
}

std::int64_t Pirqs::map_gsi(Domain& caller, std::int32_t gsi, std::int32_t& wanted) {
    if (!MachineInterrupts::is_line(gsi)) return -error(Errno::inval);
    // The caller names the line as it knows it.
    Irq irq = caller.pirqs.irq_of(gsi);
    if (irq <= 0) irq = gsi;

    const std::int32_t before = pirq_of(irq);
    std::int64_t pirq = wanted;
    if (wanted < 0) {
        if (before < 0) return -error(Errno::busy);
        pirq = before != 0 ? before : find_free(true);
        if (pirq < 0) return pirq;
    } else if (before != 0 && before != wanted) {
        return -error(Errno::exist);
    }
    if (!caller.pirqs.permitted_[static_cast<std::size_t>(irq)]) return -error(Errno::perm);
    if (pirq >= count() || irq <= 0) return -error(Errno::inval);
    const auto number = static_cast<std::int32_t>(pirq);
    // A number that stands for another line keeps it, and Xen says that all is well.
    const bool taken = (irq_of(number) > 0 && irq_of(number) != irq) || (before != 0 && before != number);
    if (!taken) {
        permitted_.set(static_cast<std::size_t>(irq));
        pirqs_[number].irq = irq;
        by_irq_[irq] = number;
    }
    wanted = number;
    return 0;
}

std::int64_t Pirqs::map_messages(std::int32_t count, std::int32_t& wanted) {
    constexpr std::int32_t kMessagesMax = 32;
    if (wanted < 0 && (count <= 0 || count > kMessagesMax)) return -error(Errno::dom);
    // Several would have to be remapped.
    if (wanted < 0 && count != 1) return -error(Errno::opnotsupp);
    return map_message(kNewIrq, wanted);
}

std::int64_t Pirqs::map_message(std::int32_t index, std::int32_t& wanted) {
    // Interrupts behind the lines are made when they are asked for, and nobody may use one that he has not made.
    const bool made = index == kNewIrq;
    if (!made && (index < MachineInterrupts::kLines || index >= std::int32_t{MachineInterrupts::kIrqs}))
        return -error(Errno::inval);
    const std::int64_t pirq = wanted < 0 ? find_free(false) : wanted;
    if (pirq < 0) return pirq;
    if (!made) return -error(Errno::perm);
    if (pirq >= count()) return -error(Errno::inval);
    // As with lines: a number that stands for another interrupt keeps it. No device here sends messages.
    if (irq_of(pirq) <= 0) return -error(Errno::nodev);
    wanted = static_cast<std::int32_t>(pirq);
    return 0;
}

std::int64_t Pirqs::map_virtual(std::int32_t line, std::int32_t& wanted) {
    // Lines of a guest's chipset (NR_HVM_DOMU_IRQS).
    constexpr std::int32_t kVirtualLines = 48;
    if (line < 0 || line >= kVirtualLines) return -error(Errno::inval);
    if (wanted < 0) {
        const std::int64_t found = find_free(true);
        if (found < 0) return found;
        wanted = static_cast<std::int32_t>(found);
    }
    if (wanted >= count()) return -error(Errno::inval);
    for (const auto& [pirq, p] : pirqs_)
        if (p.line && ((pirq == wanted) != (*p.line == line))) return 0;
    pirqs_[wanted].line = line;
    return 0;
}

std::int64_t Pirqs::unmap(std::int32_t pirq) {
    if (pirq < 0 || pirq >= count()) return -error(Errno::inval);
    const Irq irq = irq_of(pirq);
    if (irq <= 0) return -error(Errno::inval);
    Pirq& p = pirqs_[pirq];
    if (p.port != Port{0}) {
        host_.interrupts.unbind(irq, domain_);
        p.irq = -irq;
        by_irq_[irq] = -pirq;
    } else {
        p.irq = 0;
        by_irq_.erase(irq);
        forget_if_unused(pirq);
    }
    permitted_.reset(static_cast<std::size_t>(irq));
    return 0;
}

std::int64_t Pirqs::unmap_virtual(std::int32_t pirq) {
    pirqs_[pirq].line.reset();
    forget_if_unused(pirq);
    return 0;
}

void Pirqs::forget_if_unused(std::int32_t pirq) {
    const auto found = pirqs_.find(pirq);
    if (found != pirqs_.end() && found->second.irq == 0 && found->second.port == Port{0} && !found->second.line)
        pirqs_.erase(found);
}

std::int64_t Pirqs::may_bind(std::uint32_t pirq) const {
    if (pirq >= static_cast<std::uint32_t>(count())) return -error(Errno::inval);
    const Irq irq = irq_of(pirq);
    if (!domain_.translated() && (irq <= 0 || !permitted_[static_cast<std::size_t>(irq)])) return -error(Errno::perm);
    const auto found = pirqs_.find(static_cast<std::int32_t>(pirq));
    return found != pirqs_.end() && found->second.port != Port{0} ? -error(Errno::exist) : 0;
}

std::int64_t Pirqs::bind(std::uint32_t pirq, Port port, bool share) {
    Pirq& p = pirqs_[static_cast<std::int32_t>(pirq)];
    if (!domain_.translated()) {
        if (!host_.interrupts.bind(p.irq, domain_, share)) return -error(Errno::busy);
        if (eoi_frame_) {
            std::byte* word = host_.memory.page(*eoi_frame_);
            host_.interrupts.needs_eoi(p.irq) ? test_and_set_bit(word, pirq) : test_and_clear_bit(word, pirq);
            host_.mark_dirty(domain_, *eoi_frame_);
        }
    }
    p.port = port;
    return 0;
}

void Pirqs::unbind(std::uint32_t number) {
    const auto pirq = static_cast<std::int32_t>(number);
    Pirq& p = pirqs_[pirq];
    p.port = Port{0};
    p.waits = false;
    if (p.irq > 0) {
        host_.interrupts.unbind(p.irq, domain_);
    } else if (p.irq < 0 && p.irq != kReserved) {
        by_irq_.erase(-p.irq);
        p.irq = 0;
    }
    p.line.reset();
    forget_if_unused(pirq);
}

std::int64_t Pirqs::eoi(std::uint32_t pirq) {
    const auto found = pirqs_.find(static_cast<std::int32_t>(pirq));
    if (pirq >= static_cast<std::uint32_t>(count()) || found == pirqs_.end()) return -error(Errno::inval);
    Pirq& p = found->second;
    if (auto_unmask_ && p.port != Port{0}) domain_.events.unmask(p.port);
    p.waits = false;
    if (p.irq > 0) host_.interrupts.end(p.irq, domain_);
    return 0;
}

std::int64_t Pirqs::status(std::uint32_t pirq, std::uint32_t& flags) const {
    if (pirq >= static_cast<std::uint32_t>(count())) return -error(Errno::inval);
    const Irq irq = irq_of(pirq);
    if (domain_.translated() && irq <= 0 && !is_virtual(static_cast<std::int32_t>(pirq))) return -error(Errno::inval);
    // Even an edge may have to be masked for a time, so that Xen asks for an end of all.
    flags = XENIRQSTAT_needs_eoi;
    if (irq > 0 && host_.interrupts.shared(irq)) flags |= XENIRQSTAT_shared;
    return 0;
}

std::int64_t Pirqs::register_eoi_page(std::uint64_t gmfn, bool auto_unmask) {
    const auto mfn = host_.guest_frame(domain_, gmfn);
    if (!mfn || !host_.page_types.may_be_written(*mfn)) return -error(Errno::inval);
    if (eoi_frame_) return -error(Errno::busy);
    host_.memory.get(*mfn);
    eoi_frame_ = *mfn;
    auto_unmask_ = auto_unmask;
    return 0;
}

void Pirqs::end_unmasked() {
    for (auto& [number, p] : pirqs_)
        if (p.waits && !domain_.events.masked(p.port)) eoi(static_cast<std::uint32_t>(number));
}

void Pirqs::deliver(Irq irq) {
    const std::int32_t pirq = pirq_of(irq);
    const auto found = pirqs_.find(pirq);
    if (found == pirqs_.end() || found->second.port == Port{0}) return;
    found->second.waits = host_.interrupts.needs_eoi(irq);
    domain_.events.raise_pirq(found->second.port);
}

void Pirqs::release() {
    if (eoi_frame_) host_.put_frame(*eoi_frame_);
    eoi_frame_.reset();
    pirqs_.clear();
    by_irq_.clear();
}

}  // namespace xenrig::hypervisor
