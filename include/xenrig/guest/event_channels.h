// Event channels of a guest with the 2-level ABI: pending and mask bits in shared_info, one handler a port; 4,095 ports
// of a 64-bit guest, 1,023 of a 32-bit one.
//
// A port is masked until its handler is in place. An upcall clears evtchn_upcall_pending with a full barrier, then
// takes the selector word, then the bits of the selected words, each bit before its handler runs: an event that comes
// in meanwhile sets them again, and none is lost (event_channel.h, struct vcpu_info in xen.h). Scans go round, starting
// behind the port that was served last, so a port that never rests can't starve another.
//
// Every look at the bits is under one IrqLock, which a suspend holds too: no scan spans two epochs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "xenrig/abi/shared_layout.h"
#include "xenrig/guest/clock.h"
#include "xenrig/guest/discovery.h"
#include "xenrig/guest/domain_link.h"
#include "xenrig/guest/memory.h"
#include "xenrig/platform/cpu.h"
#include "xenrig/platform/events.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig::guest {

class EventChannels final : public Events {
public:
    EventChannels(DomainLink& link, GuestMemory& memory, Discovery& discovery, GuestClock& clock);
    ~EventChannels() override;

    Result<Channel> alloc_unbound(DomId remote, EventHandler handler) override;
    Result<Channel> bind_interdomain(DomId remote, Port remote_port, EventHandler handler) override;
    /// A virtual interrupt of xen.h; a global one (VIRQ_DOM_EXC) is bound once in the whole host: EEXIST. EINVAL,
    /// ENOENT.
    Result<Channel> bind_virq(unsigned virq, EventHandler handler);
    /// A port that the toolstack made for us: the store's, the console's.
    Result<Channel> adopt(Port port, EventHandler handler);
    /// Upcalls for this port go to `vcpu` from now on (EVTCHNOP_bind_vcpu); before that they go to vCPU 0.
    Result<> bind_vcpu(const Channel& channel, VcpuId vcpu);
    std::size_t ports_in_use() const override;

    /// At boot and in a new domain, with lock() held: maps shared_info, masks every port, lets upcalls come.
    Result<> start();
    /// Only while no vCPU of the guest runs: the ports are the old domain's.
    void end_epoch();
    /// Frees the handlers of ended epochs; without lock().
    void bury();

    IrqLock& lock() { return lock_; }

private:
    static constexpr unsigned kWordsMax = 64;
    using PortBits = std::array<std::uint64_t, kWordsMax>;

    struct Bound {
        EventHandler handler;
        Port port;
        std::uint64_t epoch = 0;
        VcpuId vcpu;
        bool running = false;
    };
    using BoundPtr = std::shared_ptr<Bound>;

    /// Where a vCPU's scan of the bits stands.
    struct Scan {
        std::uint64_t words = 0;  ///< selected and not yet looked at
        unsigned word = 0;
        unsigned bit = 0;   ///< the next to look at
        unsigned left = 0;  ///< bits of `word` not yet looked at
        PortBits mine{};    ///< ports bound to this vCPU
    };

    class VcpuUpcall final : public Upcall {
    public:
        VcpuUpcall(EventChannels& owner, VcpuId vcpu) : owner_(owner), vcpu_(vcpu) {}
        bool pending() override;
        void deliver() override;

    private:
        EventChannels& owner_;
        VcpuId vcpu_;
    };

    Result<> notify(Port port, std::uint64_t epoch) override;
    void set_masked(Port port, std::uint64_t epoch, bool masked) override;
    void close(Port port, std::uint64_t epoch) override;

    Channel install(Port port, std::uint64_t epoch, EventHandler handler);
    void mask(Port port);
    void unmask(Port port);
    void select(VcpuId vcpu);
    BoundPtr next(VcpuId vcpu);
    bool runs_here(const Bound& bound) const;

    DomainLink& link_;
    GuestMemory& memory_;
    Discovery& discovery_;
    GuestClock& clock_;
    const SharedLayout& layout_;
    mutable IrqLock lock_{"event channels"};
    WaitQueue handler_done_{"an event handler on another vCPU to return"};
    /// By reference everywhere: an access that a suspend interrupts goes on in the new page.
    shared::Window shared_info_;
    /// The same page, for pending(); null when there is none.
    std::atomic<const std::byte*> peek_{nullptr};
    std::map<Port, BoundPtr> ports_;
    std::vector<BoundPtr> ended_;
    std::vector<Scan> scans_;
    std::vector<std::unique_ptr<VcpuUpcall>> upcalls_;
};

}  // namespace xenrig::guest
