#include "sim/hypervisor/event_channels.h"

#include <algorithm>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/fifo_words.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/vcpu.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/check.h"

namespace xenrig::hypervisor {

namespace {
/// Xen allocates ports by the page of struct evtchn, 64 at a time; a port beyond is invalid, not closed.
constexpr std::uint32_t kBucket = 64;
}  // namespace

bool virq_is_global(std::uint32_t virq) {
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

EventChannels::EventChannels(Host& host, Domain& domain, Port first)
    : host_(host), domain_(domain), lowest_free_(first.value), words_(std::make_unique<TwoLevelWords>(domain)) {
    channels_.resize((first.value / kBucket + 1) * kBucket);
    for (std::uint32_t port = 0; port < first.value; ++port) channels_[port].use = PortUse::reserved;
}

EventChannels::~EventChannels() = default;

std::int64_t EventChannels::free_port() {
    if (domain_.dying()) return -error(Errno::inval);
    std::uint32_t port = lowest_free_;
    while (port < channels_.size() && channels_[port].use != PortUse::free) ++port;
    lowest_free_ = port;
    // A free port that the guest has not taken out of its queue is passed over, and free again once it has.
    while (port < channels_.size() && (channels_[port].use != PortUse::free || words_->busy(Port{port}))) ++port;
    if (port >= words_->ports_max()) return -error(Errno::nospc);
    if (port >= channels_.size()) channels_.resize(port + kBucket);
    return port;
}

Channel& EventChannels::take(Port port, PortUse use) {
    Channel& channel = channels_[port.value];
    channel = Channel{.use = use};
    words_->begin(port);
    if (host_.observer) [[unlikely]]
        host_.observer->port_allocated(domain_.id, port, use);
    return channel;
}

std::int64_t EventChannels::alloc_unbound(DomId remote, Port& port) {
    const std::int64_t free = free_port();
    if (free < 0) return free;
    port = Port{static_cast<std::uint32_t>(free)};
    take(port, PortUse::unbound).remote_id = remote;
    return 0;
}

std::int64_t EventChannels::bind_interdomain(Domain& remote, Port remote_port, Port& local) {
    const std::int64_t free = free_port();
    if (free < 0) return free;
    EventChannels& theirs = remote.events;
    if (!theirs.valid(remote_port)) return -error(Errno::inval);
    if (Channel& r = theirs.channels_[remote_port.value]; r.use != PortUse::unbound || r.remote_id != domain_.id)
        return -error(Errno::inval);

    local = Port{static_cast<std::uint32_t>(free)};
    Channel& l = take(local, PortUse::interdomain);
    // Looked up after take(): our own table may be theirs, and may have grown.
    Channel& r = theirs.channels_[remote_port.value];
    l.remote = &remote, l.remote_id = remote.id, l.remote_port = remote_port;
    r.use = PortUse::interdomain;
    r.remote = &domain_, r.remote_id = domain_.id, r.remote_port = local;
    if (host_.observer) [[unlikely]]
        host_.observer->port_bound(domain_.id, local, remote.id, remote_port);
    // What the peer sent while it was unbound is lost, so the port comes pending.
    raise(local);
    return 0;
}

std::int64_t EventChannels::bind_virq(std::uint32_t virq, VcpuId vcpu, Port& port) {
    if (virq >= kVirqs) return -error(Errno::inval);
    if (virq_is_global(virq) && vcpu.value != 0) return -error(Errno::inval);
    Vcpu* v = domain_.vcpu(vcpu);
    if (!v) return -error(Errno::noent);
    if (v->virq_ports[virq] != 0) return -error(Errno::exist);
    const std::int64_t free = free_port();
    if (free < 0) return free;
    port = Port{static_cast<std::uint32_t>(free)};
    Channel& channel = take(port, PortUse::virq);
    channel.vcpu = vcpu;
    channel.number = virq;
    v->virq_ports[virq] = port.value;
    return 0;
}

std::int64_t EventChannels::bind_ipi(VcpuId vcpu, Port& port) {
    if (!domain_.vcpu(vcpu)) return -error(Errno::noent);
    const std::int64_t free = free_port();
    if (free < 0) return free;
    port = Port{static_cast<std::uint32_t>(free)};
    take(port, PortUse::ipi).vcpu = vcpu;
    return 0;
}

std::int64_t EventChannels::bind_pirq(std::uint32_t pirq, bool share, Port& port) {
    if (const std::int64_t no = domain_.pirqs.may_bind(pirq); no != 0) return no;
    const std::int64_t free = free_port();
    if (free < 0) return free;
    port = Port{static_cast<std::uint32_t>(free)};
    if (const std::int64_t no = domain_.pirqs.bind(pirq, port, share); no != 0) return no;
    take(port, PortUse::pirq).number = pirq;
    return 0;
}

std::int64_t EventChannels::bind_vcpu(Port port, VcpuId vcpu) {
    if (!domain_.vcpu(vcpu)) return -error(Errno::noent);
    if (!valid(port)) return -error(Errno::inval);
    Channel& channel = channels_[port.value];
    const bool movable = channel.use == PortUse::unbound || channel.use == PortUse::interdomain ||
                         channel.use == PortUse::pirq ||
                         (channel.use == PortUse::virq && virq_is_global(channel.number));
    if (!movable) return -error(Errno::inval);
    channel.vcpu = vcpu;
    return 0;
}

std::int64_t EventChannels::close(Port port) {
    if (!valid(port)) return -error(Errno::inval);
    Channel& channel = channels_[port.value];
    const PortUse was = channel.use;
    if (was == PortUse::free || was == PortUse::reserved) return -error(Errno::inval);

    if (was == PortUse::virq) {
        for (const auto& v : domain_.vcpus)
            if (v->virq_ports[channel.number] == port.value) v->virq_ports[channel.number] = 0;
    } else if (was == PortUse::pirq) {
        domain_.pirqs.unbind(channel.number);
    } else if (was == PortUse::interdomain) {
        Channel& peer = channel.remote->events.channels_[channel.remote_port.value];
        check(peer.use == PortUse::interdomain && peer.remote == &domain_ && peer.remote_port == port,
              "both ends of a channel know each other");
        peer.use = PortUse::unbound;
        peer.remote = nullptr;
        peer.remote_port = Port{};
    }
    words_->clear_pending(port);
    channel = Channel{};
    lowest_free_ = std::min(lowest_free_, port.value);
    if (host_.observer) [[unlikely]]
        host_.observer->port_closed(domain_.id, port, was);
    return 0;
}

void EventChannels::observe_send(Port port, Sent what) {
    if (host_.observer) [[unlikely]]
        host_.observer->port_sent(domain_.id, port, valid(port) ? channels_[port.value].use : PortUse::free, what);
}

std::int64_t EventChannels::send(Port port) {
    if (!valid(port)) {
        observe_send(port, Sent::refused);
        return -error(Errno::inval);
    }
    const Channel& channel = channels_[port.value];
    Domain* to = &domain_;
    Port target = port;
    switch (channel.use) {
        case PortUse::interdomain:
            to = channel.remote;
            target = channel.remote_port;
            break;
        case PortUse::ipi:
            break;
        case PortUse::unbound:
            observe_send(port, Sent::to_nobody);
            return 0;
        default:
            observe_send(port, Sent::refused);
            return -error(Errno::inval);
    }
    const bool fresh = to->events.raise(target);
    observe_send(port, fresh ? Sent::delivered : Sent::was_pending);
    return 0;
}

bool EventChannels::raise(Port port) {
    // A domain that is still being built may have ports, and no vCPUs.
    Vcpu* notified = domain_.vcpu(channels_[port.value].vcpu);
    return notified && words_->set_pending(*notified, port);
}

std::int64_t EventChannels::unmask(Port port) {
    if (!valid(port)) return -error(Errno::inval);
    const Channel& channel = channels_[port.value];
    if (channel.use != PortUse::free && channel.use != PortUse::reserved)
        words_->unmask(*domain_.vcpu(channel.vcpu), port);
    return 0;
}

std::int64_t EventChannels::init_control(VcpuId vcpu, Gfn gfn, std::uint32_t offset) {
    const Vcpu* v = domain_.vcpu(vcpu);
    if (!v) return -error(Errno::noent);
    if (offset > kPageSize - sizeof(evtchn_fifo_control_block_t) || offset % 8 != 0) return -error(Errno::inval);
    if (fifo_) return fifo_->add_control_block(*v, gfn, offset);

    auto fifo = std::make_unique<FifoWords>(host_, domain_);
    if (const std::int64_t result = fifo->add_control_block(*v, gfn, offset); result != 0) return result;
    fifo->put_ports(std::move(ports_of_fifo_));
    for (std::uint32_t port = 1; valid(Port{port}) && port < words_->ports_max(); ++port) {
        if (words_->pending(Port{port})) fifo->remember_pending(Port{port});
        fifo->forget_priority(Port{port});
    }
    fifo_ = fifo.get();
    words_ = std::move(fifo);
    return 0;
}

std::int64_t EventChannels::expand_array(Gfn gfn) { return fifo_ ? fifo_->add_page(gfn) : -error(Errno::opnotsupp); }

std::int64_t EventChannels::set_priority(Port port, std::uint32_t priority) {
    if (!valid(port)) return -error(Errno::inval);
    if (!fifo_) return -error(Errno::nosys);
    const PortUse use = channels_[port.value].use;
    if (use == PortUse::free || use == PortUse::reserved) return -error(Errno::access);
    return words_->set_priority(port, priority);
}

void EventChannels::reset(bool layout_too) {
    for (std::uint32_t port = 0; port < channels_.size(); ++port) close(Port{port});
    if (!layout_too || !fifo_) return;
    ports_of_fifo_ = fifo_->take_ports();
    fifo_ = nullptr;
    words_ = std::make_unique<TwoLevelWords>(domain_);
}

std::int64_t EventChannels::poll(Port port) const {
    if (!valid(port)) return -error(Errno::inval);
    const PortUse use = channels_[port.value].use;
    if (use == PortUse::free || use == PortUse::reserved) return -error(Errno::inval);
    return words_->pending(port) ? 1 : 0;
}

void EventChannels::raise_virq(VcpuId vcpu, std::uint32_t virq) {
    const Vcpu* v = domain_.vcpu(virq_is_global(virq) ? VcpuId{0} : vcpu);
    if (v && v->virq_ports[virq] != 0) raise(Port{v->virq_ports[virq]});
}

std::uint32_t EventChannels::in_use() const {
    return static_cast<std::uint32_t>(std::ranges::count_if(
        channels_, [](const Channel& c) { return c.use != PortUse::free && c.use != PortUse::reserved; }));
}

}  // namespace xenrig::hypervisor
