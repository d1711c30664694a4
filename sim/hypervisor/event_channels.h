// A domain's event channels: the ports of Xen's common/event_channel.c, one entry a port, the lowest free one first.
//
// Answers are 0 or a negated Errno, as the hypercall returns them. Who may ask is the hypercall's business
// (event_channel_op.cpp); here a call does what it says.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/hypervisor/event_words.h"
#include "sim/hypervisor/observer.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class FifoWords;
class Host;

struct Channel {
    PortUse use = PortUse::free;
    VcpuId vcpu{0};
    DomId remote_id{};         ///< unbound, interdomain
    Domain* remote = nullptr;  ///< interdomain
    Port remote_port{};        ///< interdomain
    std::uint32_t number = 0;  ///< of the virq or pirq
};

class EventChannels {
public:
    EventChannels(Host& host, Domain& domain, Port first);
    ~EventChannels();

    std::int64_t alloc_unbound(DomId remote, Port& port);
    std::int64_t bind_interdomain(Domain& remote, Port remote_port, Port& local);
    std::int64_t bind_virq(std::uint32_t virq, VcpuId vcpu, Port& port);
    std::int64_t bind_ipi(VcpuId vcpu, Port& port);
    std::int64_t bind_pirq(std::uint32_t pirq, bool share, Port& port);
    std::int64_t bind_vcpu(Port port, VcpuId vcpu);
    std::int64_t close(Port port);
    std::int64_t send(Port port);
    std::int64_t unmask(Port port);
    /// EVTCHNOP_init_control: from the first one on, the domain uses the FIFO layout.
    std::int64_t init_control(VcpuId vcpu, Gfn gfn, std::uint32_t offset);
    std::int64_t expand_array(Gfn gfn);
    std::int64_t set_priority(Port port, std::uint32_t priority);
    /// Closes all ports; with `layout_too` the domain is back at the 2-level layout.
    void reset(bool layout_too);
    /// Is it pending? -EINVAL for a port that was never there.
    std::int64_t poll(Port port) const;

    /// A VIRQ of one vCPU, or a global one: nothing happens when it is not bound.
    void raise_virq(VcpuId vcpu, std::uint32_t virq);
    /// A physical interrupt, by the port to which it is bound.
    void raise_pirq(Port port) { raise(port); }
    bool masked(Port port) const { return words_->masked(port); }

    /// Below the number of ports that the domain ever had, rounded up to what Xen allocates at once.
    bool valid(Port port) const { return port.value < channels_.size(); }
    const Channel& at(Port port) const { return channels_[port.value]; }
    std::uint32_t in_use() const;
    /// Frames of the guest that the layout uses.
    std::vector<Mfn> frames() const { return words_->frames(); }
    /// The lowest free port, or a negated Errno. The table may grow for it.
    std::int64_t free_port();

private:
    Channel& take(Port port, PortUse use);
    /// False when it was pending, or when nobody can hear of it.
    bool raise(Port port);
    void observe_send(Port port, Sent what);

    Host& host_;
    Domain& domain_;
    std::vector<Channel> channels_;
    /// No port below it is free.
    std::uint32_t lowest_free_;
    std::unique_ptr<EventWords> words_;
    /// words_, when it is the FIFO.
    FifoWords* fifo_ = nullptr;
    /// Between two times of the FIFO.
    std::vector<FifoPort> ports_of_fifo_;
};

/// VIRQs that have one port in a domain, not one a vCPU (event_channel.c: virq_is_global).
bool virq_is_global(std::uint32_t virq);

}  // namespace xenrig::hypervisor
