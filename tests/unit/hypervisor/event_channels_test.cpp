// Event channels, by the answers that a Linux dom0 got from Xen 4.17 for the same calls, and by what the guest sees.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"
#include "sim/hypervisor/observer.h"

namespace xenrig::test {
namespace {

constexpr DomId kSelf{DOMID_SELF}, kNobody{77};

struct EventChannels : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {}};
    Guest dom0{hv, {.name = "dom0", .privileged = true}};
    Guest front{hv, {.name = "front", .vcpus = 2, .first_port = Port{20}}};
    Guest back{hv, {.name = "back", .first_port = Port{40}}};

    /// (front's port, back's port), connected, nothing pending.
    std::pair<std::uint32_t, std::uint32_t> connect() {
        const auto f = front.alloc_unbound(back.id).number;
        const auto b = back.bind_interdomain(front.id, f).number;
        front.clear_events();
        back.clear_events();
        return {f, b};
    }
};

TEST_F(EventChannels, AllocUnboundChecksTheDomainAndNotTheRemote) {
    EXPECT_EQ(dom0.alloc_unbound(DomId{0}, kNobody).rc, error(Errno::srch));
    EXPECT_EQ(dom0.alloc_unbound(kNobody).rc, 0);
    EXPECT_EQ(dom0.alloc_unbound(DomId{DOMID_INVALID}).rc, 0);
    EXPECT_EQ(front.alloc_unbound(front.id, back.id).rc, error(Errno::perm));
    EXPECT_EQ(dom0.alloc_unbound(front.id, back.id).number, 40u);
}

TEST_F(EventChannels, ThePortsOfAPreviousLifeAreReservedAndNeverWork) {
    EXPECT_EQ(front.alloc_unbound(back.id).number, 20u);
    EXPECT_EQ(front.status(19).number, std::uint32_t{EVTCHNSTAT_closed});
    EXPECT_EQ(front.send(19), error(Errno::inval));
    EXPECT_EQ(front.close(19), error(Errno::inval));
    EXPECT_EQ(back.bind_interdomain(front.id, 19).rc, error(Errno::inval));
}

TEST_F(EventChannels, AChannelIsBoundOnceAndOnlyByWhomItIsFor) {
    const auto port = front.alloc_unbound(back.id).number;
    EXPECT_EQ(front.bind_interdomain(kSelf, port).rc, error(Errno::inval));
    EXPECT_EQ(back.bind_interdomain(kNobody, port).rc, error(Errno::srch));
    EXPECT_EQ(back.bind_interdomain(front.id, 0).rc, error(Errno::inval));
    EXPECT_EQ(back.bind_interdomain(front.id, 1'000'000).rc, error(Errno::inval));
    EXPECT_EQ(back.bind_interdomain(front.id, port).rc, 0);
    EXPECT_EQ(back.bind_interdomain(front.id, port).rc, error(Errno::inval));
}

TEST_F(EventChannels, ANewLocalPortComesPendingBecauseEventsMayHaveBeenLost) {
    const auto port = front.alloc_unbound(back.id).number;
    EXPECT_EQ(front.send(port), 0);
    const auto local = back.bind_interdomain(front.id, port).number;
    EXPECT_TRUE(back.bits(local).pending);
    EXPECT_FALSE(front.bits(port).pending);
}

TEST_F(EventChannels, ASendReachesThePeerAndKicksItsVcpuOnce) {
    FakeCpu& cpu = machine.cpu("front/0");
    hv.attach_vcpu(front.id, VcpuId{0}, cpu);
    const auto [f, b] = connect();
    EXPECT_EQ(back.send(b), 0);
    EXPECT_EQ(front.bits(f), (Bits{.pending = true, .masked = false, .selector = 1, .upcall = true}));
    EXPECT_EQ(cpu.kicks, 1);
    EXPECT_EQ(back.send(b), 0);
    EXPECT_EQ(cpu.kicks, 1) << "it was pending already";
}

TEST_F(EventChannels, AMaskedPortIsDeliveredWhenItIsUnmasked) {
    const auto [f, b] = connect();
    front.mask_all();
    back.send(b);
    EXPECT_EQ(front.bits(f), (Bits{.pending = true, .masked = true, .selector = 0, .upcall = false}));
    EXPECT_FALSE(hv.upcall_pending(front.id, VcpuId{0}));
    EXPECT_EQ(front.unmask(f), 0);
    EXPECT_EQ(front.bits(f), (Bits{.pending = true, .masked = false, .selector = 1, .upcall = true}));
    EXPECT_TRUE(hv.upcall_pending(front.id, VcpuId{0}));
}

TEST_F(EventChannels, AMaskedVcpuOfAPvGuestHasNoUpcallPendingAndAnyOthersMaskIsNoMatter) {
    const auto [f, b] = connect();
    front.info().evtchn_upcall_mask = 1;
    back.send(b);
    EXPECT_TRUE(front.bits(f).upcall);
    EXPECT_TRUE(hv.upcall_pending(front.id, VcpuId{0})) << "hvm_vcpu_has_pending_irq";

    Guest pv(hv, {.name = "pv", .type = GuestType::pv});
    pv.info().evtchn_upcall_mask = 1;
    const auto ipi = pv.bind_ipi(0);
    pv.send(ipi.number);
    EXPECT_TRUE(pv.bits(ipi.number).upcall);
    EXPECT_FALSE(hv.upcall_pending(pv.id, VcpuId{0}));
    pv.info().evtchn_upcall_mask = 0;
    EXPECT_TRUE(hv.upcall_pending(pv.id, VcpuId{0}));
}

TEST_F(EventChannels, BindVcpuMovesTheUpcallToAnotherVcpu) {
    const auto [f, b] = connect();
    EXPECT_EQ(front.bind_vcpu(f, 1), 0);
    EXPECT_EQ(front.bind_vcpu(f, 1000), error(Errno::noent));
    back.send(b);
    EXPECT_FALSE(hv.upcall_pending(front.id, VcpuId{0}));
    EXPECT_TRUE(hv.upcall_pending(front.id, VcpuId{1}));
}

TEST_F(EventChannels, ClosingOneEndReturnsTheOtherToUnboundAndItCanBeBoundAgain) {
    const auto [f, b] = connect();
    EXPECT_EQ(back.close(b), 0);
    EXPECT_EQ(back.close(b), error(Errno::inval));
    EXPECT_EQ(back.send(b), error(Errno::inval));
    EXPECT_EQ(front.status(f).number, std::uint32_t{EVTCHNSTAT_unbound});
    EXPECT_EQ(front.send(f), 0) << "into the void, as on Xen";
    EXPECT_EQ(back.bind_interdomain(front.id, f).rc, 0);
}

TEST_F(EventChannels, TheLowestFreePortIsUsedAgain) {
    const std::uint32_t a = front.alloc_unbound(back.id).number;
    const std::uint32_t b = front.alloc_unbound(back.id).number;
    front.alloc_unbound(back.id);
    front.close(b);
    front.close(a);
    EXPECT_EQ(front.alloc_unbound(back.id).number, a);
    EXPECT_EQ(front.alloc_unbound(back.id).number, b);
}

TEST_F(EventChannels, AVirqIsBoundOnceAVcpuAndAGlobalOneOnVcpu0) {
    EXPECT_EQ(front.bind_virq(VIRQ_TIMER, 0).rc, 0);
    EXPECT_EQ(front.bind_virq(VIRQ_TIMER, 0).rc, error(Errno::exist));
    EXPECT_EQ(front.bind_virq(VIRQ_TIMER, 1).rc, 0);
    EXPECT_EQ(front.bind_virq(24).rc, error(Errno::inval));
    EXPECT_EQ(front.bind_virq(VIRQ_XENOPROF, 1000).rc, error(Errno::noent));
    EXPECT_EQ(front.bind_virq(VIRQ_CON_RING, 1).rc, error(Errno::inval));
    const auto port = front.bind_virq(VIRQ_XENOPROF, 0).number;
    EXPECT_EQ(front.send(port), error(Errno::inval));
    EXPECT_EQ(front.bind_vcpu(port, 0), error(Errno::inval));
    EXPECT_EQ(front.close(port), 0);
    EXPECT_EQ(front.bind_virq(VIRQ_XENOPROF, 0).rc, 0);
}

TEST_F(EventChannels, AnIpiGoesToItsOwnVcpuAndStaysThere) {
    const auto port = front.bind_ipi(1).number;
    EXPECT_EQ(front.bind_vcpu(port, 0), error(Errno::inval));
    EXPECT_EQ(front.bind_ipi(1000).rc, error(Errno::noent));
    EXPECT_EQ(front.send(port), 0);
    EXPECT_TRUE(hv.upcall_pending(front.id, VcpuId{1}));
    EXPECT_FALSE(hv.upcall_pending(front.id, VcpuId{0}));
}

TEST_F(EventChannels, APortThatWasNeverThereIsInvalidAndAFreeOneIsClosed) {
    EXPECT_EQ(front.status(0).number, std::uint32_t{EVTCHNSTAT_closed});
    EXPECT_EQ(front.status(63).number, std::uint32_t{EVTCHNSTAT_closed});
    EXPECT_EQ(front.status(64).rc, error(Errno::inval));
    EXPECT_EQ(front.status(1, kNobody).rc, error(Errno::srch));
    EXPECT_EQ(front.unmask(63), 0);
    EXPECT_EQ(front.unmask(1'000'000), error(Errno::inval));
    EXPECT_EQ(front.send(0), error(Errno::inval));
    EXPECT_EQ(front.close(0), error(Errno::inval));
}

TEST_F(EventChannels, ResetClosesAllPortsOfTheDomainAndUnbindsItsPeers) {
    const auto [f, b] = connect();
    front.bind_ipi(0);
    EXPECT_EQ(front.reset(), 0);
    EXPECT_EQ(front.status(f).number, std::uint32_t{EVTCHNSTAT_closed});
    EXPECT_EQ(back.status(b).number, std::uint32_t{EVTCHNSTAT_unbound});
    EXPECT_EQ(front.alloc_unbound(back.id).number, 20u);
    EXPECT_EQ(back.reset(front.id), error(Errno::perm));
    EXPECT_EQ(dom0.reset(kNobody), error(Errno::srch));
}

TEST_F(EventChannels, A32BitGuestHasItsBitsWhereItsHeadersPutThemAnd1023Ports) {
    Guest small(hv, {.name = "small", .bits = 32});
    const auto port = small.bind_ipi(0).number;
    small.send(port);
    const std::byte* shared = hv.shared_info(small.id);
    EXPECT_EQ(std::to_integer<unsigned>(shared[0x800]), 1u << port) << "evtchn_pending";
    EXPECT_EQ(std::to_integer<unsigned>(shared[4]), 1u) << "evtchn_pending_sel is 4 bytes in";
    EXPECT_EQ(std::to_integer<unsigned>(shared[0]), 1u) << "evtchn_upcall_pending";
    Numbered last{};
    while (small.alloc_unbound(back.id).rc == 0) last = {0, last.number + 1};
    EXPECT_EQ(last.number + 1, 1023u);
}

TEST_F(EventChannels, AnOperationThatXenDoesNotHaveIsEnosysAndABadPointerEfault) {
    EXPECT_EQ(front.event(99, evtchn_send_t{}), error(Errno::nosys));
    EXPECT_EQ(front.call(__HYPERVISOR_event_channel_op, EVTCHNOP_close, 0), error(Errno::fault));
    EXPECT_EQ(front.call(__HYPERVISOR_event_channel_op, EVTCHNOP_close, ~0ull - 1), error(Errno::fault));
    EXPECT_EQ(front.call(55), error(Errno::nosys));
}

TEST_F(EventChannels, AnObserverHearsAStaleSendByItsSender) {
    struct Stale final : hypervisor::Observer {
        void port_sent(DomId by, Port port, hypervisor::PortUse use, hypervisor::Sent what) override {
            if (what == hypervisor::Sent::refused) sender = by, number = port, was = use;
        }
        DomId sender{};
        Port number{};
        hypervisor::PortUse was{};
    } stale;
    hv.set_observer(&stale);
    front.send(7);
    EXPECT_EQ(stale.sender, front.id);
    EXPECT_EQ(stale.number, Port{7});
    EXPECT_EQ(stale.was, hypervisor::PortUse::reserved);
}

}  // namespace
}  // namespace xenrig::test
