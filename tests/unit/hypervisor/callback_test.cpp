// How events come to an HVM guest: vectors, level lines of the IO-APIC, and none.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"
#include "xenrig/abi/interrupts.h"

namespace xenrig::test {
namespace {

constexpr std::uint8_t kVector = 0xf3;
constexpr std::uint64_t kByGsi = 0, kByIntx = 1ull << 56, kByVector = 2ull << 56;
constexpr std::uint64_t kEoi = kLocalApic + 0xb0, kSpurious = kLocalApic + 0xf0;
constexpr std::uint32_t kApicOn = 0x1ff, kLevel = 1 << 15, kMasked = 1 << 16;

class Callback : public testing::Test {
protected:
    Callback() {
        for (std::uint32_t v = 0; v < 2; ++v) {
            const auto port = hvm.alloc_unbound(peer.id);
            ports[v] = peer.bind_interdomain(hvm.id, port.number).number;
            hvm.bind_vcpu(port.number, v);
        }
        serve();
        set_callback(hvm, 0);
    }

    Answer set_callback(Guest& guest, std::uint64_t via) {
        xen_hvm_param_t op{};
        op.domid = DOMID_SELF;
        op.index = HVM_PARAM_CALLBACK_IRQ;
        op.value = via;
        return guest.call(__HYPERVISOR_hvm_op, HVMOP_set_param, &op);
    }
    Answer set_upcall_vector(std::uint32_t vcpu, std::uint8_t vector) {
        xen_hvm_evtchn_upcall_vector_t op{};
        op.vcpu = vcpu;
        op.vector = vector;
        return hvm.call(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &op);
    }
    Interrupts& cpu(std::uint32_t vcpu = 0) { return hv.interrupts(hvm.id, VcpuId{vcpu}); }
    void write_pin(unsigned pin, std::uint32_t low, std::uint32_t vcpu = 0) {
        cpu().write_register(kIoApic, 0x11 + 2 * pin);
        cpu().write_register(kIoApic + 0x10, vcpu * 2 << 24);
        cpu().write_register(kIoApic, 0x10 + 2 * pin);
        cpu().write_register(kIoApic + 0x10, low);
    }
    std::uint32_t read_pin(unsigned pin) {
        cpu().write_register(kIoApic, 0x10 + 2 * pin);
        return cpu().read_register(kIoApic + 0x10);
    }
    void apics_on() {
        for (std::uint32_t v = 0; v < 2; ++v) cpu(v).write_register(kSpurious, kApicOn);
    }
    /// An event for one of the vCPUs, from another domain: no exit of the guest's.
    void raise(std::uint32_t vcpu = 0) { ASSERT_EQ(peer.send(ports[vcpu]), 0); }
    /// The guest has served what there was; Xen sees nothing of it.
    void serve(std::uint32_t vcpu = 0) {
        auto& info = hvm.shared().vcpu_info[vcpu];
        info.evtchn_upcall_pending = 0;
        info.evtchn_pending_sel = 0;
        std::memset(hvm.shared().evtchn_pending, 0, sizeof hvm.shared().evtchn_pending);
    }
    /// An exit that does nothing.
    void exit() { hvm.call(__HYPERVISOR_xen_version, XENVER_version, 0); }

    FakeMachine machine;
    Hypervisor hv{machine, {.frames = 512}};
    Guest peer{hv, {.name = "peer", .privileged = true}};
    Guest hvm{hv, {.name = "hvm", .type = GuestType::hvm, .vcpus = 2}};
    std::uint32_t ports[2]{};
};

TEST_F(Callback, NoneMeansThatNoEventIsAnInterruptUntilOneIsSet) {
    raise();
    EXPECT_FALSE(cpu().interrupt_pending());
    EXPECT_EQ(cpu().accept_interrupt(), std::nullopt);
    EXPECT_EQ(set_callback(hvm, kByVector | kVector), 0);
    EXPECT_TRUE(cpu().interrupt_pending()) << "what came in before counts";
    EXPECT_EQ(cpu().accept_interrupt(), kVector);
}

TEST_F(Callback, AVectorIsThereOnEachVcpuWhileItsBitIsAndNeedsNoController) {
    set_callback(hvm, kByVector | kVector);
    raise(1);
    EXPECT_FALSE(cpu(0).interrupt_pending());
    EXPECT_EQ(cpu(1).accept_interrupt(), kVector);
    EXPECT_EQ(cpu(1).accept_interrupt(), kVector) << "taking it does not end it";
    serve(1);
    EXPECT_FALSE(cpu(1).interrupt_pending()) << "and no exit is needed";
}

TEST_F(Callback, AGsiIsALevelLineThatTheGuestMustRouteAndUnmask) {
    apics_on();
    set_callback(hvm, kByGsi | 28);
    raise();
    EXPECT_FALSE(cpu().interrupt_pending()) << "the pin is masked";
    write_pin(28, kLevel | 0x40);
    EXPECT_EQ(cpu().accept_interrupt(), 0x40) << "its line was up when it was unmasked";
    EXPECT_FALSE(cpu().interrupt_pending()) << "in service";
    serve();
    cpu().write_register(kEoi, 0);
    EXPECT_FALSE(cpu().interrupt_pending()) << "the write is an exit, at which the line fell";
    raise();
    EXPECT_EQ(cpu().accept_interrupt(), 0x40);
}

TEST_F(Callback, ALineThatIsStillUpAtItsEndIsAnInterruptAgain) {
    apics_on();
    write_pin(28, kLevel | 0x40);
    set_callback(hvm, kByGsi | 28);
    raise();
    EXPECT_EQ(cpu().accept_interrupt(), 0x40);
    cpu().write_register(kEoi, 0);
    EXPECT_EQ(cpu().accept_interrupt(), 0x40) << "ended before the bit was cleared";
    serve();
    // Before any exit, so that Xen takes the line for up, and it makes no edge. The level is what tells of it.
    raise();
    cpu().write_register(kEoi, 0);
    EXPECT_EQ(cpu().accept_interrupt(), 0x40);
}

TEST_F(Callback, APinThatIsAnEdgeLosesAnEventThatComesBeforeTheNextExit) {
    apics_on();
    write_pin(28, 0x40);
    set_callback(hvm, kByGsi | 28);
    raise();
    EXPECT_EQ(cpu().accept_interrupt(), 0x40);
    cpu().write_register(kEoi, 0);
    serve();
    raise();
    EXPECT_TRUE(hvm.info().evtchn_upcall_pending);
    EXPECT_FALSE(cpu().interrupt_pending());
}

TEST_F(Callback, ALineFallsAtTheNextExitAndNotBefore) {
    apics_on();
    set_callback(hvm, kByGsi | 28);
    raise();
    serve();
    write_pin(28, kLevel | kMasked | 0x40);
    raise();
    serve();
    exit();
    write_pin(28, kLevel | 0x40);
    EXPECT_FALSE(cpu().interrupt_pending());
}

TEST_F(Callback, EventsOfOtherVcpusRaiseNoLine) {
    apics_on();
    write_pin(28, kLevel | 0x40);
    set_callback(hvm, kByGsi | 28);
    raise(1);
    EXPECT_TRUE(hvm.shared().vcpu_info[1].evtchn_upcall_pending) << "the bit is there";
    EXPECT_FALSE(cpu(0).interrupt_pending());
    EXPECT_FALSE(cpu(1).interrupt_pending());
}

TEST_F(Callback, APinGoesToTheVcpuThatItsEntryNames) {
    apics_on();
    write_pin(28, kLevel | 0x40, 1);
    set_callback(hvm, kByGsi | 28);
    raise(0);
    EXPECT_FALSE(cpu(0).interrupt_pending());
    EXPECT_EQ(cpu(1).accept_interrupt(), 0x40);
}

TEST_F(Callback, APciInterruptHasAPinOfItsOwnAndALinkToAnIsaInterrupt) {
    apics_on();
    // 00:02.0 INTA is pin 24; its link is the third, which hvmloader routes to 11.
    set_callback(hvm, kByIntx | 2 << 11);
    write_pin(24, kLevel | 0x40);
    write_pin(11, kLevel | 0x50);
    raise();
    EXPECT_EQ(cpu().accept_interrupt(), 0x50);
    cpu().write_register(kEoi, 0);
    EXPECT_EQ(cpu().accept_interrupt(), 0x50) << "both lines are up";
    serve();
    cpu().write_register(kEoi, 0);
    EXPECT_EQ(cpu().accept_interrupt(), 0x40) << "was asked for before the line fell";
    cpu().write_register(kEoi, 0);
    EXPECT_FALSE(cpu().interrupt_pending());
}

TEST_F(Callback, ALineThatIsUpMovesWithTheWay) {
    apics_on();
    write_pin(28, kLevel | 0x40);
    write_pin(24, kLevel | 0x41);
    set_callback(hvm, kByGsi | 28);
    raise();
    EXPECT_EQ(cpu().accept_interrupt(), 0x40);
    EXPECT_EQ(set_callback(hvm, kByIntx | 2 << 11), 0);
    EXPECT_FALSE(cpu().interrupt_pending()) << "of the same class as the one in service";
    cpu().write_register(kEoi, 0);
    EXPECT_EQ(cpu().accept_interrupt(), 0x41);
    EXPECT_EQ(set_callback(hvm, kByVector | kVector), 0);
    cpu().write_register(kEoi, 0);
    EXPECT_EQ(cpu().accept_interrupt(), kVector);
    serve();
    EXPECT_FALSE(cpu().interrupt_pending()) << "no line is left up";
}

TEST_F(Callback, AWayThatIsNoneTakesUpcallsAway) {
    for (const std::uint64_t none : {std::uint64_t{0}, kByGsi | 48, kByGsi | 0x100, std::uint64_t{3} << 56}) {
        set_callback(hvm, kByVector | kVector);
        raise();
        EXPECT_TRUE(cpu().interrupt_pending());
        EXPECT_EQ(set_callback(hvm, none), 0) << "Xen keeps any value";
        EXPECT_FALSE(cpu().interrupt_pending()) << none;
        serve();
    }
}

TEST_F(Callback, AVectorOfAVcpusOwnComesThroughItsApicAndWantsAnEnd) {
    set_upcall_vector(1, 0x60);
    raise(1);
    EXPECT_FALSE(cpu(1).interrupt_pending()) << "its APIC is off, and forgets";
    serve(1);
    apics_on();
    EXPECT_FALSE(cpu(1).interrupt_pending());
    raise(1);
    EXPECT_EQ(cpu(1).accept_interrupt(), 0x60);
    serve(1);
    raise(1);
    EXPECT_FALSE(cpu(1).interrupt_pending()) << "one is in service";
    cpu(1).write_register(kEoi, 0);
    EXPECT_EQ(cpu(1).accept_interrupt(), 0x60);
}

TEST_F(Callback, SettingAVcpusVectorAsksForOneUpcallWhateverIsPending) {
    apics_on();
    EXPECT_EQ(set_upcall_vector(0, 0x0f), error(Errno::inval));
    EXPECT_EQ(set_upcall_vector(2, 0x60), error(Errno::noent));
    EXPECT_EQ(set_upcall_vector(0, 0x60), 0);
    EXPECT_EQ(cpu().accept_interrupt(), 0x60);
}

TEST_F(Callback, APvhGuestHasNoIoApicAndOnlyVectorsChangeItsWay) {
    Guest pvh(hv, {.name = "pvh", .type = GuestType::pvh});
    Interrupts& vcpu = hv.interrupts(pvh.id, VcpuId{0});
    EXPECT_EQ(vcpu.read_register(kIoApic), ~0u);
    const auto ipi = pvh.bind_ipi(0);
    EXPECT_EQ(set_callback(pvh, kByGsi | 28), 0) << "the value is kept, and nothing comes of it";
    pvh.send(ipi.number);
    EXPECT_EQ(vcpu.accept_interrupt(), kVector) << "the vector of before";
}

TEST_F(Callback, OnlyAVectorEndsABlockOfAnotherVcpuThanTheFirst) {
    for (const std::uint64_t via : {kByGsi | 28, kByVector | kVector}) {
        set_callback(hvm, via);
        FakeCpu& runner = machine.cpu("hvm/1");
        hv.attach_vcpu(hvm.id, VcpuId{1}, runner);
        hvm.vcpu = VcpuId{1};
        runner.meanwhile = [&] { raise(1); };
        EXPECT_EQ(hvm.call(__HYPERVISOR_sched_op, SCHEDOP_block, 0), 0);
        EXPECT_EQ(runner.still_halted, via == (kByGsi | 28));
        hvm.vcpu = VcpuId{0};
        hv.detach_vcpu(hvm.id, VcpuId{1});
        serve(1);
    }
}

TEST_F(Callback, TheIoApicSaysWhatItIsAndWhatItsPinsAre) {
    cpu().write_register(kIoApic, 1);
    EXPECT_EQ(cpu().read_register(kIoApic + 0x10), 47u << 16 | 0x11);
    EXPECT_EQ(read_pin(5), kMasked);
    write_pin(5, kLevel | 0x33);
    EXPECT_EQ(read_pin(5), kLevel | 0x33);
    write_pin(5, 0xffffffff);
    EXPECT_EQ(read_pin(5) & (1u << 14 | 1u << 12), 0u) << "what is under way is not the guest's to write";
    EXPECT_EQ(cpu(1).read_register(kLocalApic + 0x20), 2u << 24);
}

}  // namespace
}  // namespace xenrig::test
