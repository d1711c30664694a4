#include "xenrig/guest/event_channels.h"

#include <algorithm>
#include <mutex>

#include "event_words.h"
#include "text.h"
#include "xenrig/abi/check.h"
#include "xenrig/platform/polite_wait.h"
#include "xenrig/shared/door.h"

extern "C" {
#include <xen/event_channel.h>
#include <xen/xen.h>
}

namespace xenrig::guest {

EventChannels::EventChannels(DomainLink& link, GuestMemory& memory, Discovery& discovery, GuestClock& clock)
    : link_(link),
      memory_(memory),
      discovery_(discovery),
      clock_(clock),
      layout_(shared_layout(link.bits())),
      scans_(link.cpus().size()) {
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

    std::array<Word, kWordsMax> all_masked;
    all_masked.fill(~Word{0});
    shared::copy_in(shared_info_, layout_.evtchn_mask, all_masked.data(), layout_.ports() / 8);
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
    std::vector<BoundPtr> at_rest;
    const std::lock_guard held(lock_);
    for (const BoundPtr& bound : ended_)
        if (!bound->running) at_rest.push_back(bound);
    std::erase_if(ended_, [](const BoundPtr& bound) { return !bound->running; });
}

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
    if (port.value == 0 || port.value >= layout_.ports() || ports_.contains(port))
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
    scans_[0].mine[word_of(layout_, port)] |= bit_of(layout_, port);
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
        const unsigned word = word_of(layout_, channel.port());
        for (Scan& scan : scans_) scan.mine[word] &= ~bit_of(layout_, channel.port());
        scans_[vcpu.value].mine[word] |= bit_of(layout_, channel.port());
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

void EventChannels::mask(Port port) {
    set_bits(layout_, shared_info_, mask_at(layout_, word_of(layout_, port)), bit_of(layout_, port));
}

void EventChannels::unmask(Port port) {
    const unsigned word = word_of(layout_, port);
    clear_bits(layout_, shared_info_, mask_at(layout_, word), bit_of(layout_, port));
    // What came in while it was masked has told nobody: let the hypervisor tell the port's vCPU (it looks at the mask
    // bit, so that must be set).
    const Word pending = poll_word(layout_, shared_info_, pending_at(layout_, word));
    if ((pending & bit_of(layout_, port)) == 0) return;
    set_bits(layout_, shared_info_, mask_at(layout_, word), bit_of(layout_, port));
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
        for (Scan& scan : scans_) scan.mine[word_of(layout_, port)] &= ~bit_of(layout_, port);
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

}  // namespace xenrig::guest
