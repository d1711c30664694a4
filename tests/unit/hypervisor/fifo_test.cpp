// The FIFO layout of event channels: what stands in the words, the queues and the control block that the guest gave.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

constexpr std::uint32_t kPending = 1u << EVTCHN_FIFO_PENDING, kMasked = 1u << EVTCHN_FIFO_MASKED,
                        kLinked = 1u << EVTCHN_FIFO_LINKED;

struct Fifo : testing::Test {
    static constexpr std::uint64_t kControl = 2, kControl1 = 3, kArray = 4;

    FakeMachine machine;
    Hypervisor hv{machine, {}};
    Guest guest{hv, {.name = "guest", .vcpus = 2}};

    void TearDown() override {
        EXPECT_EQ(hv.audit(), "");
        hv.destroy_domain(guest.id).value();
        EXPECT_EQ(hv.memory().frames_allocated(), 0u);
    }

    Answer init(std::uint32_t vcpu, std::uint64_t gfn, std::uint32_t offset = 0) {
        evtchn_init_control_t op{};
        op.control_gfn = gfn, op.offset = offset, op.vcpu = vcpu;
        const Answer rc = guest.event(EVTCHNOP_init_control, op);
        EXPECT_EQ(op.link_bits, rc == 0 ? EVTCHN_FIFO_LINK_BITS : 0);
        return rc;
    }
    Answer expand(std::uint64_t gfn) { return guest.event(EVTCHNOP_expand_array, evtchn_expand_array_t{gfn}); }
    Answer priority(std::uint32_t port, std::uint32_t p) {
        return guest.event(EVTCHNOP_set_priority, evtchn_set_priority_t{port, p});
    }
    void start() {
        ASSERT_EQ(init(0, kControl), 0);
        ASSERT_EQ(init(1, kControl1), 0);
        ASSERT_EQ(expand(kArray), 0);
    }
    evtchn_fifo_control_block_t& control(std::uint64_t gfn = kControl) {
        return *reinterpret_cast<evtchn_fifo_control_block_t*>(guest.page(gfn));
    }
    event_word_t& word(std::uint32_t port) { return reinterpret_cast<event_word_t*>(guest.page(kArray))[port]; }
    std::uint32_t ipi(std::uint32_t vcpu = 0) { return guest.bind_ipi(vcpu).number; }

    /// What a guest's upcall does with one queue (event_channel.h): takes each port, and returns them in order.
    std::vector<std::uint32_t> consume(unsigned queue) {
        std::vector<std::uint32_t> taken;
        control().ready &= ~(1u << queue);
        for (std::uint32_t port = control().head[queue]; port != 0;) {
            const std::uint32_t link = word(port) & EVTCHN_FIFO_LINK_MASK;
            word(port) &= ~(kLinked | EVTCHN_FIFO_LINK_MASK);
            if ((word(port) & kPending) != 0 && (word(port) & kMasked) == 0) taken.push_back(port);
            word(port) &= ~kPending;
            port = link;
        }
        control().head[queue] = 0;
        guest.info().evtchn_upcall_pending = 0;
        return taken;
    }
};

TEST_F(Fifo, AControlBlockIsCheckedAsXenDoes) {
    EXPECT_EQ(init(1000, kControl), error(Errno::noent));
    EXPECT_EQ(init(0, kControl, 4), error(Errno::inval));
    EXPECT_EQ(init(0, kControl, 4096 - 64), error(Errno::inval)) << "it would cross the page";
    EXPECT_EQ(init(0, 999), error(Errno::inval));
    EXPECT_EQ(expand(kArray), error(Errno::opnotsupp)) << "not in the 2-level layout";
    EXPECT_EQ(init(0, kControl), 0);
    EXPECT_EQ(init(0, kControl), error(Errno::inval)) << "once";
    EXPECT_EQ(expand(999), error(Errno::inval));
}

TEST_F(Fifo, EventsOfOnePriorityComeInTheirOrder) {
    start();
    const std::vector ports{ipi(), ipi(), ipi()};
    guest.send(ports[2]);
    guest.send(ports[0]);
    guest.send(ports[1]);
    EXPECT_EQ(control().ready, 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_TRUE(hv.upcall_pending(guest.id, VcpuId{0}));
    EXPECT_EQ(word(ports[2]), kPending | kLinked | ports[0]);
    EXPECT_EQ(consume(EVTCHN_FIFO_PRIORITY_DEFAULT), (std::vector{ports[2], ports[0], ports[1]}));
    guest.send(ports[1]);
    EXPECT_EQ(consume(EVTCHN_FIFO_PRIORITY_DEFAULT), (std::vector{ports[1]}));
}

TEST_F(Fifo, AMaskedEventIsPendingAndLinkedWhenItIsUnmasked) {
    start();
    const auto port = ipi();
    word(port) |= kMasked;
    guest.send(port);
    EXPECT_EQ(word(port), kPending | kMasked);
    EXPECT_EQ(control().ready, 0u);
    EXPECT_EQ(guest.unmask(port), 0);
    EXPECT_EQ(word(port), kPending | kLinked);
    EXPECT_EQ(consume(EVTCHN_FIFO_PRIORITY_DEFAULT), (std::vector{port}));
}

TEST_F(Fifo, EachPriorityHasItsQueue) {
    start();
    const auto urgent = ipi(), usual = ipi();
    EXPECT_EQ(priority(urgent, 0), 0);
    EXPECT_EQ(priority(urgent, 16), error(Errno::inval));
    EXPECT_EQ(priority(1'000'000, 3), error(Errno::inval));
    EXPECT_EQ(priority(60, 3), error(Errno::access)) << "a closed port";
    guest.send(usual);
    guest.send(urgent);
    EXPECT_EQ(control().ready, 1u << 0 | 1u << EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EQ(consume(0), (std::vector{urgent}));
    EXPECT_EQ(consume(EVTCHN_FIFO_PRIORITY_DEFAULT), (std::vector{usual}));
}

TEST_F(Fifo, ThereIsNoPriorityInTheTwoLevelLayout) { EXPECT_EQ(priority(ipi(), 3), error(Errno::nosys)); }

TEST_F(Fifo, WhatWasPendingBeforeTheArrayCameIsRaisedWithIt) {
    const auto before = ipi();
    guest.send(before);
    ASSERT_EQ(init(0, kControl), 0);
    const auto between = ipi();
    guest.send(between);
    EXPECT_EQ(control().ready, 0u);
    ASSERT_EQ(expand(kArray), 0);
    EXPECT_EQ(consume(EVTCHN_FIFO_PRIORITY_DEFAULT), (std::vector{before, between}));
}

TEST_F(Fifo, APortThatTheGuestHasNotTakenFromItsQueueIsNotGivenOutAgain) {
    start();
    const auto port = ipi();
    guest.send(port);
    guest.close(port);
    EXPECT_EQ(word(port), kLinked) << "not pending, but still in the queue";
    EXPECT_NE(ipi(), port);
    consume(EVTCHN_FIFO_PRIORITY_DEFAULT);
    EXPECT_EQ(ipi(), port);
}

TEST_F(Fifo, AnEventThatMovesToAnotherVcpuLeavesTheOldQueueUsable) {
    start();
    const auto a = guest.alloc_unbound(guest.id).number;
    const auto b = guest.bind_interdomain(guest.id, a).number;
    consume(EVTCHN_FIFO_PRIORITY_DEFAULT);
    guest.send(b);
    EXPECT_EQ(consume(EVTCHN_FIFO_PRIORITY_DEFAULT), (std::vector{a}));
    guest.bind_vcpu(a, 1);
    guest.send(b);
    EXPECT_EQ(control(kControl1).head[EVTCHN_FIFO_PRIORITY_DEFAULT], a);
    const auto c = ipi();
    guest.send(c);
    EXPECT_EQ(consume(EVTCHN_FIFO_PRIORITY_DEFAULT), (std::vector{c}));
}

TEST_F(Fifo, AnEventForAVcpuWithoutAControlBlockIsLostAndNotEvenPending) {
    ASSERT_EQ(init(0, kControl), 0);
    ASSERT_EQ(expand(kArray), 0);
    const std::uint32_t port = ipi(1);
    EXPECT_EQ(guest.send(port), 0);
    EXPECT_EQ(word(port) & (kPending | kLinked), 0u);
    ASSERT_EQ(init(1, kControl1), 0);
    EXPECT_EQ(guest.send(port), 0);
    EXPECT_EQ(word(port) & (kPending | kLinked), kPending | kLinked);
}

TEST_F(Fifo, AGuestThatScribblesOnItsWordsHurtsItselfAlone) {
    start();
    const auto a = ipi(), b = ipi();
    guest.send(a);
    word(a) = 0xffffffff;
    guest.send(b);
    word(b) = kLinked | 0x1ffff;
    guest.send(a);
    guest.send(b);
    EXPECT_EQ(guest.close(a), 0);
    EXPECT_EQ(guest.close(b), 0);
}

TEST_F(Fifo, AResetOfItselfLeadsBackToTheTwoLevelLayout) {
    start();
    EXPECT_EQ(guest.reset(), 0);
    const auto port = ipi();
    guest.send(port);
    EXPECT_TRUE(guest.bits(port).pending);
    start();
}

TEST_F(Fifo, TheLayoutHasRoomFor131071Ports) {
    ASSERT_EQ(init(0, kControl), 0);
    std::uint32_t made = 0;
    while (guest.alloc_unbound(guest.id).rc == 0) ++made;
    EXPECT_EQ(made, 131'071u);
}

TEST_F(Fifo, TheGuestsPagesOfTheLayoutAreAlwaysDirty) {
    start();
    ASSERT_TRUE(hv.enable_log_dirty(guest.id));
    EXPECT_EQ(hv.clean_dirty(guest.id), (std::vector{Gfn{kControl}, Gfn{kControl1}, Gfn{kArray}}));
}

}  // namespace
}  // namespace xenrig::test
