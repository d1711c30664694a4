#include "sim/hypervisor/fifo_words.h"

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/shared_words.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint32_t kWordsPerPage = kPageSize / sizeof(event_word_t);
constexpr std::uint32_t kPagesMax = EVTCHN_FIFO_NR_CHANNELS / kWordsPerPage;
constexpr std::uint32_t kLinkMask = (1u << EVTCHN_FIFO_LINK_BITS) - 1;

enum class Link : std::uint8_t { done, not_linked, changed };

/// One try to make the word point to `port`: only while it is linked, and only if nobody changed it.
Link try_link(std::byte* word, std::uint32_t& seen, std::uint32_t port) {
    if ((seen & 1u << EVTCHN_FIFO_LINKED) == 0) return Link::not_linked;
    const std::uint32_t wanted = (seen & ~(1u << EVTCHN_FIFO_BUSY | kLinkMask)) | port;
    const auto was = shared::raw::rmw<std::uint32_t>(word, shared::Rmw::compare_exchange, wanted, seen);
    const bool done = was == seen;
    seen = was;
    return done ? Link::done : Link::changed;
}

}  // namespace

FifoWords::FifoWords(Host& host, Domain& domain) : host_(host), domain_(domain), vcpus_(domain.vcpus.size()) {}

FifoWords::~FifoWords() {
    for (const Mfn mfn : frames()) host_.put_frame(mfn);
}

std::vector<Mfn> FifoWords::frames() const {
    std::vector<Mfn> all = pages_;
    for (const VcpuQueues& v : vcpus_)
        if (v.control_block) all.push_back(v.frame);
    return all;
}

std::optional<Mfn> FifoWords::take_frame(Gfn gfn) {
    const auto mfn = host_.guest_frame(domain_, gfn.value);
    if (!mfn || !host_.page_types.may_be_written(*mfn)) return std::nullopt;
    host_.memory.get(*mfn);
    host_.mark_dirty(domain_, *mfn);
    return mfn;
}

std::int64_t FifoWords::add_control_block(const Vcpu& vcpu, Gfn gfn, std::uint32_t offset) {
    VcpuQueues& v = vcpus_[vcpu.id.value];
    if (v.control_block) return -error(Errno::inval);
    const auto mfn = take_frame(gfn);
    if (!mfn) return -error(Errno::inval);
    v.frame = *mfn;
    v.control_block = host_.memory.page(*mfn) + offset;
    return 0;
}

std::int64_t FifoWords::add_page(Gfn gfn) {
    if (pages_.size() >= kPagesMax) return -error(Errno::nospc);
    const auto mfn = take_frame(gfn);
    if (!mfn) return -error(Errno::inval);
    const auto first = static_cast<std::uint32_t>(pages_.size()) * kWordsPerPage;
    pages_.push_back(*mfn);
    addresses_.push_back(host_.memory.page(*mfn));
    for (std::uint32_t p = first; p < first + kWordsPerPage && p < ports_.size(); ++p)
        if (ports_[p].raised_early && domain_.events.valid(Port{p}))
            set_pending(*domain_.vcpu(domain_.events.at(Port{p}).vcpu), Port{p});
    return 0;
}

std::byte* FifoWords::word(Port port) const {
    const std::size_t page = port.value / kWordsPerPage;
    return page < addresses_.size() ? addresses_[page] + port.value % kWordsPerPage * sizeof(event_word_t) : nullptr;
}

FifoPort& FifoWords::state(Port port) {
    if (port.value >= ports_.size()) ports_.resize(port.value + std::size_t{1});
    return ports_[port.value];
}

bool FifoWords::link_tail(std::byte* tail, Port port) {
    std::uint32_t seen = shared::raw::load<std::uint32_t>(tail);
    if (const Link link = try_link(tail, seen, port.value); link != Link::changed) return link == Link::done;
    // BUSY keeps the guest from unmasking; what it may still change fits into four tries.
    constexpr int kTries = 4;
    test_and_set_bit(tail, EVTCHN_FIFO_BUSY);
    seen = shared::raw::load<std::uint32_t>(tail);
    for (int i = 0; i < kTries; ++i) {
        const Link link = try_link(tail, seen, port.value);
        if (link == Link::done) return true;
        if (link == Link::not_linked) {
            test_and_clear_bit(tail, EVTCHN_FIFO_BUSY);
            return false;
        }
    }
    test_and_clear_bit(tail, EVTCHN_FIFO_BUSY);
    return true;
}

bool FifoWords::set_pending(Vcpu& notified, Port port) {
    FifoPort& p = state(port);
    std::byte* at = word(port);
    if (!at) {
        const bool fresh = !p.raised_early;
        p.raised_early = true;
        return fresh;
    }
    VcpuQueues& v = vcpus_[notified.id.value];
    // Without a control block the event is lost: the guest must not unmask before it has one.
    if (!v.control_block) return false;
    const bool was_pending = test_and_set_bit(at, EVTCHN_FIFO_PENDING);
    if (!test_bit(at, EVTCHN_FIFO_MASKED) && !test_and_set_bit(at, EVTCHN_FIFO_LINKED)) {
        Queue& old = vcpus_[p.last_vcpu].queues[p.last_priority];
        Queue& queue = v.queues[p.priority];
        // It was the tail of a queue that has run empty: nothing may be linked behind it there any more.
        if (old.tail == port.value) old.tail = 0;
        p.last_vcpu = notified.id.value;
        p.last_priority = p.priority;
        const bool linked = queue.tail != 0 && link_tail(word(Port{queue.tail}), port);
        queue.tail = port.value;
        if (!linked) {
            const std::size_t head = offsetof(evtchn_fifo_control_block_t, head) + p.priority * sizeof(event_word_t);
            shared::raw::store<std::uint32_t>(v.control_block + head, port.value);
            if (!test_and_set_bit(v.control_block + offsetof(evtchn_fifo_control_block_t, ready), p.priority))
                notified.mark_events_pending();
        }
    }
    if (!was_pending) domain_.wake_pollers(port);
    return !was_pending;
}

void FifoWords::clear_pending(Port port) {
    if (std::byte* at = word(port)) test_and_clear_bit(at, EVTCHN_FIFO_PENDING);
}

void FifoWords::unmask(Vcpu& notified, Port port) {
    std::byte* at = word(port);
    if (!at) return;
    test_and_clear_bit(at, EVTCHN_FIFO_MASKED);
    if (test_bit(at, EVTCHN_FIFO_PENDING)) set_pending(notified, port);
}

bool FifoWords::pending(Port port) const {
    const std::byte* at = word(port);
    return at && test_bit(at, EVTCHN_FIFO_PENDING);
}

bool FifoWords::masked(Port port) const {
    const std::byte* at = word(port);
    return !at || test_bit(at, EVTCHN_FIFO_MASKED);
}

bool FifoWords::busy(Port port) const {
    const std::byte* at = word(port);
    return at && test_bit(at, EVTCHN_FIFO_LINKED);
}

std::int64_t FifoWords::set_priority(Port port, std::uint32_t priority) {
    if (priority > EVTCHN_FIFO_PRIORITY_MIN) return -error(Errno::inval);
    // What is queued already stays where it is.
    state(port).priority = static_cast<std::uint8_t>(priority);
    return 0;
}

}  // namespace xenrig::hypervisor
