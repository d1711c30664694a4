#include "xenrig/guest/event_channels.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <iterator>
#include <mutex>

#include "polite_wait.h"
#include "text.h"
#include "xenrig/abi/check.h"
#include "xenrig/shared/door.h"

extern "C" {
#include <xen/event_channel.h>
#include <xen/xen.h>
}

namespace xenrig::guest {

namespace {

using Word = std::uint64_t;
static_assert(sizeof(xen_ulong_t) == sizeof(Word), "the guest is a 64-bit one");

constexpr std::size_t vcpu_info_at(VcpuId vcpu) {
    return offsetof(shared_info_t, vcpu_info) + vcpu.value * sizeof(vcpu_info_t);
}
constexpr std::size_t upcall_pending_at(VcpuId vcpu) {
    return vcpu_info_at(vcpu) + offsetof(vcpu_info_t, evtchn_upcall_pending);
}
constexpr std::size_t upcall_mask_at(VcpuId vcpu) {
    return vcpu_info_at(vcpu) + offsetof(vcpu_info_t, evtchn_upcall_mask);
}
constexpr std::size_t selector_at(VcpuId vcpu) {
    return vcpu_info_at(vcpu) + offsetof(vcpu_info_t, evtchn_pending_sel);
}
constexpr std::size_t pending_at(unsigned word) {
    return offsetof(shared_info_t, evtchn_pending) + word * sizeof(Word);
}
constexpr std::size_t mask_at(unsigned word) { return offsetof(shared_info_t, evtchn_mask) + word * sizeof(Word); }

constexpr unsigned word_of(Port port) { return port.value / 64; }
constexpr Word bit_of(Port port) { return Word{1} << port.value % 64; }

}  // namespace

EventChannels::EventChannels(DomainLink& link, GuestMemory& memory, Discovery& discovery, GuestClock& clock)
    : link_(link), memory_(memory), discovery_(discovery), clock_(clock), scans_(link.cpus().size()) {
    check(link.cpus().size() <= XEN_LEGACY_MAX_VCPUS, "shared_info has room for the guest's vCPUs");
    for (std::uint32_t i = 0; i < link.cpus().size(); ++i) {
        upcalls_.push_back(std::make_unique<VcpuUpcall>(*this, VcpuId{i}));
        link.cpus()[i]->set_upcall(upcalls_.back().get());
    }
}

EventChannels::~EventChannels() {
    for (Cpu* cpu : link_.cpus()) cpu->set_upcall(nullptr);
}

Result<> EventChannels::start() {
    const auto gfn = discovery_.shared_info();
    if (!gfn) return std::unexpected(gfn.error());
    auto window = memory_.kernel_window(*gfn, "shared_info");
    if (!window) return std::unexpected(window.error());
    shared_info_ = std::move(*window);

    std::array<Word, kWords> all_masked;
    all_masked.fill(~Word{0});
    shared::copy_in(shared_info_, mask_at(0), all_masked.data(), sizeof all_masked);
    shared::mb();
    for (Scan& scan : scans_) scan = Scan{};
    peek_.store(shared_info_.host_address(0), std::memory_order_release);
    return discovery_.enable_upcalls();
}

void EventChannels::end_epoch() {
    peek_.store(nullptr, std::memory_order_release);
    for (auto& [port, bound] : ports_) ended_.push_back(std::move(bound));
    ports_.clear();
}

void EventChannels::bury() {
    std::vector<BoundPtr> ended;
    const std::lock_guard held(lock_);
    const auto at_rest = std::stable_partition(ended_.begin(), ended_.end(), [](const auto& b) { return b->running; });
    ended.assign(std::make_move_iterator(at_rest), std::make_move_iterator(ended_.end()));
    ended_.erase(at_rest, ended_.end());
}

// --- Ports -----------------------------------------------------------------------------------------------------------

Result<Channel> EventChannels::alloc_unbound(DomId remote, EventHandler handler) {
    evtchn_alloc_unbound_t alloc{};
    alloc.dom = DOMID_SELF;
    alloc.remote_dom = remote.value;
    // Under the lock, so that the port and its handler are of one epoch.
    const std::lock_guard held(lock_);
    const std::uint64_t epoch = link_.epoch();
    const std::int64_t answer = link_.call(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc);
    if (answer < 0) return std::unexpected(hypercall_error(answer, "EVTCHNOP_alloc_unbound"));
    return install(Port{alloc.port}, epoch, std::move(handler));
}

Result<Channel> EventChannels::bind_interdomain(DomId remote, Port remote_port, EventHandler handler) {
    evtchn_bind_interdomain_t bind{};
    bind.remote_dom = remote.value;
    bind.remote_port = remote_port.value;
    const std::lock_guard held(lock_);
    const std::uint64_t epoch = link_.epoch();
    const std::int64_t answer = link_.call(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &bind);
    if (answer < 0)
        return std::unexpected(hypercall_error(
            answer, "EVTCHNOP_bind_interdomain to d" + dec(remote.value) + " port " + dec(remote_port.value)));
    return install(Port{bind.local_port}, epoch, std::move(handler));
}

Result<Channel> EventChannels::bind_virq(unsigned virq, EventHandler handler) {
    evtchn_bind_virq_t bind{};
    bind.virq = virq;
    const std::lock_guard held(lock_);
    const std::uint64_t epoch = link_.epoch();
    const std::int64_t answer = link_.call(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, &bind);
    if (answer < 0) return std::unexpected(hypercall_error(answer, "EVTCHNOP_bind_virq " + dec(virq)));
    return install(Port{bind.port}, epoch, std::move(handler));
}

Result<Channel> EventChannels::adopt(Port port, EventHandler handler) {
    const std::lock_guard held(lock_);
    if (!link_.alive()) return fail(Errno::srch, "the domain is dead");
    if (port.value == 0 || port.value >= kWords * kBits || ports_.contains(port))
        return fail(Errno::inval, "port " + dec(port.value) + " is no port of ours to adopt");
    return install(port, link_.epoch(), std::move(handler));
}

Channel EventChannels::install(Port port, std::uint64_t epoch, EventHandler handler) {
    // The domain died during the hypercall: there is no port any more.
    if (!link_.alive()) return Channel(*this, port, epoch);
    auto bound = std::make_shared<Bound>();
    bound->handler = std::move(handler);
    bound->port = port;
    bound->epoch = epoch;
    ports_[port] = std::move(bound);
    scans_[0].mine[word_of(port)] |= bit_of(port);
    unmask(port);
    return Channel(*this, port, epoch);
}

Result<> EventChannels::bind_vcpu(const Channel& channel, VcpuId vcpu) {
    check(vcpu.value < scans_.size(), "a port is bound to a vCPU that the guest has");
    const std::lock_guard held(lock_);
    const auto found = ports_.find(channel.port());
    if (found == ports_.end()) return fail(Errno::badf, "the channel is closed");
    evtchn_bind_vcpu_t bind{};
    bind.port = channel.port().value;
    bind.vcpu = vcpu.value;
    // Masked meanwhile: an event that the old vCPU was told of is told to the new one by the unmask.
    mask(channel.port());
    const std::int64_t answer = link_.call(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu, &bind);
    if (answer == 0) {
        for (Scan& scan : scans_) scan.mine[word_of(channel.port())] &= ~bit_of(channel.port());
        scans_[vcpu.value].mine[word_of(channel.port())] |= bit_of(channel.port());
        found->second->vcpu = vcpu;
    }
    unmask(channel.port());
    if (answer < 0) return std::unexpected(hypercall_error(answer, "EVTCHNOP_bind_vcpu"));
    return {};
}

std::size_t EventChannels::ports_in_use() const {
    const std::lock_guard held(lock_);
    return ports_.size();
}

Result<> EventChannels::notify(Port port, std::uint64_t epoch) {
    if (!link_.current(epoch)) return {};
    evtchn_send_t send{port.value};
    const std::int64_t answer = link_.call(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
    if (answer < 0) return std::unexpected(hypercall_error(answer, "EVTCHNOP_send on port " + dec(port.value)));
    return {};
}

void EventChannels::set_masked(Port port, std::uint64_t epoch, bool masked) {
    const std::lock_guard held(lock_);
    if (!link_.current(epoch) || !ports_.contains(port)) return;
    masked ? mask(port) : unmask(port);
}

void EventChannels::mask(Port port) { shared::fetch_or<Word>(shared_info_, mask_at(word_of(port)), bit_of(port)); }

void EventChannels::unmask(Port port) {
    shared::fetch_and<Word>(shared_info_, mask_at(word_of(port)), ~bit_of(port));
    // What came in while it was masked has told nobody: let the hypervisor tell the port's vCPU (it looks at the mask
    // bit, so that must be set).
    const Word pending = shared::load<Word>(shared_info_, pending_at(word_of(port)), shared::Fetch::poll);
    if ((pending & bit_of(port)) == 0) return;
    shared::fetch_or<Word>(shared_info_, mask_at(word_of(port)), bit_of(port));
    evtchn_unmask_t unmask{port.value};
    (void)link_.call(__HYPERVISOR_event_channel_op, EVTCHNOP_unmask, &unmask);
}

bool EventChannels::runs_here(const Bound& bound) const {
    return scheduler && scheduler->in_upcall() && link_.vcpu() == bound.vcpu;
}

void EventChannels::close(Port port, std::uint64_t epoch) {
    BoundPtr bound;
    const std::lock_guard held(lock_);
    if (link_.current(epoch)) {
        const auto found = ports_.find(port);
        check(found != ports_.end(), "a channel is closed once");
        bound = std::move(found->second);
        ports_.erase(found);
        for (Scan& scan : scans_) scan.mine[word_of(port)] &= ~bit_of(port);
        mask(port);
        evtchn_close_t close{port.value};
        (void)link_.call(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &close);
    } else {
        // No port any more, but its handler may still run: on a vCPU that the suspend caught in the middle of it.
        const auto found = std::find_if(ended_.begin(), ended_.end(),
                                        [&](const auto& b) { return b->port == port && b->epoch == epoch; });
        if (found == ended_.end()) return;
        bound = std::move(*found);
        ended_.erase(found);
    }
    if (!bound->running || runs_here(*bound)) return;
    check(!scheduler->in_upcall(), "an upcall does not close a channel whose handler runs on another vCPU");
    polite_wait(handler_done_, lock_, [&] { return !bound->running; });
}

// --- Upcalls ---------------------------------------------------------------------------------------------------------

bool EventChannels::VcpuUpcall::pending() {
    if (owner_.clock_.due(vcpu_)) return true;
    const std::byte* page = owner_.peek_.load(std::memory_order_acquire);
    if (!page || !owner_.link_.alive()) return false;
    return shared::raw::load<std::uint8_t>(page + upcall_pending_at(vcpu_)) != 0 &&
           shared::raw::load<std::uint8_t>(page + upcall_mask_at(vcpu_)) == 0;
}

void EventChannels::VcpuUpcall::deliver() {
    owner_.clock_.run_due(vcpu_);
    {
        const std::lock_guard held(owner_.lock_);
        owner_.select(vcpu_);
    }
    BoundPtr served;
    do {
        // Let go of without the lock: a handler that closed its own channel ends here, with all that it holds.
        const BoundPtr previous = std::move(served);
        {
            const std::lock_guard held(owner_.lock_);
            if (previous) {
                previous->running = false;
                owner_.handler_done_.wake_all();
            }
            served = owner_.next(vcpu_);
            if (served) served->running = true;
        }
        shared::new_decision();
        if (served) served->handler();
    } while (served);
}

void EventChannels::select(VcpuId vcpu) {
    if (!peek_.load(std::memory_order_relaxed)) return;
    // The exchange is a full barrier: pending is cleared before the selector is read.
    shared::exchange<std::uint8_t>(shared_info_, upcall_pending_at(vcpu), 0);
    scans_[vcpu.value].words |= shared::exchange<Word>(shared_info_, selector_at(vcpu), 0);
}

EventChannels::BoundPtr EventChannels::next(VcpuId vcpu) {
    if (!peek_.load(std::memory_order_relaxed)) return nullptr;
    Scan& scan = scans_[vcpu.value];
    for (;;) {
        if (scan.left == 0) {
            if (scan.words == 0) return nullptr;
            // The first selected word behind the last one; the word itself comes last.
            const unsigned from = (scan.word + 1) % kWords;
            scan.word =
                (from + static_cast<unsigned>(std::countr_zero(std::rotr(scan.words, static_cast<int>(from))))) %
                kWords;
            scan.words &= ~(Word{1} << scan.word);
            scan.left = kBits;
        }
        const Word pending = shared::load<Word>(shared_info_, pending_at(scan.word), shared::Fetch::poll);
        const Word masked = shared::load<Word>(shared_info_, mask_at(scan.word), shared::Fetch::poll);
        const Word active = std::rotr(pending & ~masked & scan.mine[scan.word], static_cast<int>(scan.bit));
        const auto skip = static_cast<unsigned>(std::countr_zero(active));
        if (skip >= scan.left) {
            scan.left = 0;
            continue;
        }
        const Port port{scan.word * kBits + (scan.bit + skip) % kBits};
        scan.left -= skip + 1;
        scan.bit = (scan.bit + skip + 1) % kBits;
        shared::fetch_and<Word>(shared_info_, pending_at(scan.word), ~bit_of(port));
        // Gone only when the domain died in the middle of this scan.
        const auto found = ports_.find(port);
        return found == ports_.end() ? nullptr : found->second;
    }
}

}  // namespace xenrig::guest
