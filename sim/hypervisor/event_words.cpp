#include "sim/hypervisor/event_words.h"

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/shared_words.h"
#include "sim/hypervisor/vcpu.h"

namespace xenrig::hypervisor {

namespace {

std::byte* pending_bits(const Domain& d) { return d.shared_info + d.layout().evtchn_pending; }
std::byte* mask_bits(const Domain& d) { return d.shared_info + d.layout().evtchn_mask; }

}  // namespace

std::int64_t EventWords::set_priority(Port, std::uint32_t) { return -error(Errno::nosys); }

std::uint32_t TwoLevelWords::ports_max() const { return domain_.layout().ports(); }

bool TwoLevelWords::set_pending(Vcpu& notified, Port port) {
    if (test_and_set_bit(pending_bits(domain_), port.value)) return false;
    if (!test_bit(mask_bits(domain_), port.value) && notified.set_selector(port.value / domain_.layout().word_bits))
        notified.mark_events_pending();
    domain_.wake_pollers(port);
    return true;
}

void TwoLevelWords::clear_pending(Port port) { test_and_clear_bit(pending_bits(domain_), port.value); }

void TwoLevelWords::unmask(Vcpu& notified, Port port) {
    if (test_and_clear_bit(mask_bits(domain_), port.value) && test_bit(pending_bits(domain_), port.value) &&
        notified.set_selector(port.value / domain_.layout().word_bits))
        notified.mark_events_pending();
}

bool TwoLevelWords::pending(Port port) const { return test_bit(pending_bits(domain_), port.value); }
bool TwoLevelWords::masked(Port port) const { return test_bit(mask_bits(domain_), port.value); }

}  // namespace xenrig::hypervisor
