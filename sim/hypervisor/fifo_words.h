// The FIFO layout of event channels: one word a port in pages that the guest gives, linked into 16 queues a vCPU.
//
// A pending port that is not masked is linked to the tail of its queue; the guest takes ports from the head, in the
// order in which they came. Both ends change the words by atomics, and a guest that keeps changing them can only hurt
// itself. Source: event_channel.h (EVTCHN_FIFO_*), Xen's docs/designs of the FIFO ABI, common/event_fifo.c.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/hypervisor/event_words.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

class Host;

class FifoWords final : public EventWords {
public:
    FifoWords(Host& host, Domain& domain);
    ~FifoWords() override;

    /// EVTCHNOP_init_control: a vCPU's control block, once. 0 or a negated Errno.
    std::int64_t add_control_block(const Vcpu& vcpu, Gfn gfn, std::uint32_t offset);
    /// EVTCHNOP_expand_array: the page of the next 1024 ports. What was raised before it came is raised now.
    std::int64_t add_page(Gfn gfn);
    /// What was pending in the layout before this one.
    void remember_pending(Port port) { state(port).raised_early = true; }
    std::vector<FifoPort> take_ports() { return std::move(ports_); }
    /// From an earlier time; the priority of those that are valid now is the default one again (setup_ports).
    void put_ports(std::vector<FifoPort> ports) { ports_ = std::move(ports); }
    void forget_priority(Port port) { state(port).priority = EVTCHN_FIFO_PRIORITY_DEFAULT; }

    std::uint32_t ports_max() const override { return EVTCHN_FIFO_NR_CHANNELS; }
    bool set_pending(Vcpu& notified, Port port) override;
    void clear_pending(Port port) override;
    void unmask(Vcpu& notified, Port port) override;
    bool pending(Port port) const override;
    bool masked(Port port) const override;
    void begin(Port port) override { state(port).priority = EVTCHN_FIFO_PRIORITY_DEFAULT; }
    bool busy(Port port) const override;
    std::int64_t set_priority(Port port, std::uint32_t priority) override;
    std::vector<Mfn> frames() const override;

private:
    struct Queue {
        std::uint32_t tail = 0;
    };
    struct VcpuQueues {
        std::byte* control_block = nullptr;
        Mfn frame{};
        std::array<Queue, EVTCHN_FIFO_MAX_QUEUES> queues;
    };
    /// Null when the guest has not given the page yet.
    std::byte* word(Port port) const;
    FifoPort& state(Port port);
    bool link_tail(std::byte* tail, Port port);
    std::optional<Mfn> take_frame(Gfn gfn);

    Host& host_;
    Domain& domain_;
    std::vector<VcpuQueues> vcpus_;
    std::vector<Mfn> pages_;
    std::vector<std::byte*> addresses_;
    std::vector<FifoPort> ports_;
};

}  // namespace xenrig::hypervisor
