// The end of a domain: everything it held comes back, in every order in which two domains can end.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"
#include "living.h"

namespace xenrig::test {
namespace {

constexpr std::uint64_t kWindow = 0x4'0000;

struct Death : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {.frames = 512}};
    std::uint64_t empty = hv.memory().frames_free();
    Guest dom0{hv, {.name = "dom0", .privileged = true}};
    Guest front{hv, {.name = "front"}};
    Guest back{hv, {.name = "back"}};
    Numbered mapping{};
    std::uint32_t front_port = 0, back_port = 0;

    void SetUp() override {
        front.write(3, "the ring");
        front.grant(8, back.id, 3);
        mapping = back.map(front.id, 8, kWindow);
        front_port = front.alloc_unbound(back.id).number;
        back_port = back.bind_interdomain(front.id, front_port).number;
    }
    void TearDown() override { EXPECT_EQ(hv.audit(), ""); }

    bool gone(const Guest& g) { return !hv.info(g.id).has_value(); }
};

TEST_F(Death, AKilledDomainsHypercallsAreRefusedAndCountedAndChangeNothing) {
    ASSERT_TRUE(hv.kill_domain(front.id));
    EXPECT_EQ(front.send(front_port), error(Errno::perm));
    EXPECT_EQ(front.alloc_unbound(back.id).rc, error(Errno::perm));
    EXPECT_EQ(hv.counts(front.id).refused, 2u);
    EXPECT_EQ(hv.counts().refused, 2u);
    EXPECT_TRUE(hv.info(front.id)->dying);
    EXPECT_NE(front.page(3), nullptr) << "it still holds what it held";
    EXPECT_EQ(back.status(back_port).number, std::uint32_t{EVTCHNSTAT_interdomain});
    ASSERT_TRUE(hv.destroy_domain(front.id));
    EXPECT_EQ(front.send(front_port), error(Errno::perm)) << "and so it stays";
}

TEST_F(Death, TheMapperDiesFirstAndTheGrantIsFreeAgain) {
    ASSERT_TRUE(hv.destroy_domain(back.id));
    EXPECT_TRUE(gone(back));
    EXPECT_EQ(front.flags(8), GTF_permit_access);
    EXPECT_EQ(front.status(front_port).number, std::uint32_t{EVTCHNSTAT_unbound});
    ASSERT_TRUE(hv.destroy_domain(front.id));
    EXPECT_TRUE(gone(front));
}

TEST_F(Death, TheGranterDiesFirstAndStaysUntilTheLastUnmap) {
    ASSERT_TRUE(hv.destroy_domain(front.id));
    EXPECT_TRUE(hv.info(front.id)->dying);
    EXPECT_EQ(hv.info(front.id)->frames, 1u);
    EXPECT_STREQ(back.text(kWindow), "the ring");
    EXPECT_EQ(back.map(front.id, 8, kWindow + 1).rc, GNTST_okay) << "what is pinned can still be mapped";
    back.unmap(mapping.number + 1, kWindow + 1);
    EXPECT_EQ(back.unmap(mapping.number, kWindow), GNTST_okay);
    EXPECT_TRUE(gone(front));
    EXPECT_EQ(back.map(front.id, 8, kWindow).rc, GNTST_bad_domain);
}

TEST_F(Death, TheGranterDiesFirstAndTheMappersDeathEndsIt) {
    ASSERT_TRUE(hv.destroy_domain(front.id));
    ASSERT_TRUE(hv.destroy_domain(back.id));
    EXPECT_TRUE(gone(front));
    EXPECT_TRUE(gone(back));
    ASSERT_TRUE(hv.destroy_domain(dom0.id));
    EXPECT_EQ(hv.memory().frames_free(), empty);
    EXPECT_EQ(hv.memory().frames_allocated(), 0u);
}

TEST_F(Death, AFrameThatIsFreedReadsAsPoisonToWhoKeptItsAddress) {
    const std::byte* kept = front.page(3);
    ASSERT_TRUE(hv.destroy_domain(front.id));
    EXPECT_EQ(std::to_integer<char>(kept[0]), 't') << "still mapped";
    back.unmap(mapping.number, kWindow);
    std::uint64_t word;
    std::memcpy(&word, kept, sizeof word);
    EXPECT_EQ(word, hypervisor::kPoison);
}

TEST_F(Death, ADomidIsUsedAgainOnlyWhenNothingIsLeftOfItsHolder) {
    Hypervisor host(machine, {.first_domid = DomId{0x7fee}});
    Guest a(host, {.name = "a"}), b(host, {.name = "b"}), c(host, {.name = "c"});
    EXPECT_EQ(a.id, DomId{0x7fee});
    EXPECT_EQ(b.id, DomId{0x7fef});
    EXPECT_EQ(c.id, DomId{1}) << "0x7ff0 and above have meanings of their own";
    a.grant(8, b.id, 3);
    b.map(a.id, 8, kWindow);
    ASSERT_TRUE(host.destroy_domain(a.id));
    EXPECT_EQ(host.domains(), (std::vector{DomId{1}, DomId{0x7fee}, DomId{0x7fef}}));
}

TEST_F(Death, TheControlDomainHearsOfItAndSoDoesTheToolstack) {
    const auto virq = dom0.bind_virq(VIRQ_DOM_EXC).number;
    std::vector<DomId> heard;
    hv.on_state_change([&](DomId dom) { heard.push_back(dom); });
    ASSERT_TRUE(hv.destroy_domain(front.id));
    EXPECT_TRUE(dom0.bits(virq).pending);
    EXPECT_FALSE(heard.empty());
    dom0.clear_events();
    heard.clear();
    back.unmap(mapping.number, kWindow);
    EXPECT_TRUE(dom0.bits(virq).pending) << "and when the last of it is gone";
    EXPECT_EQ(heard, std::vector{front.id});
}

TEST_F(Death, ATimerOfADeadDomainNeverFires) {
    front.bind_virq(VIRQ_TIMER);
    front.call(__HYPERVISOR_set_timer_op, (machine.now() + 1_ms).value);
    EXPECT_EQ(machine.timers(), 1u);
    ASSERT_TRUE(hv.kill_domain(front.id));
    EXPECT_EQ(machine.timers(), 0u);
}

TEST_F(Death, AnObserverSeesEveryFrameComeAndGo) {
    Living living;
    Hypervisor host(machine, {});
    host.set_observer(&living);
    Guest a(host, {.name = "a"}), b(host, {.name = "b"});
    a.grant(8, b.id, 3);
    b.map(a.id, 8, kWindow);
    a.alloc_unbound(b.id);
    EXPECT_EQ(living.frames, 36) << "16 of RAM, shared_info and a grant frame, twice";
    EXPECT_EQ(living.maps, 1);
    EXPECT_EQ(living.pins, 1);
    EXPECT_EQ(living.ports, 1);
    ASSERT_TRUE(host.destroy_domain(a.id));
    EXPECT_EQ(living.frames, 18 + 3) << "b's, and of a the mapped frame, shared_info and the grant table";
    ASSERT_TRUE(host.destroy_domain(b.id));
    EXPECT_EQ(living.frames, 0);
    EXPECT_EQ(living.maps, 0);
    EXPECT_EQ(living.pins, 0);
    EXPECT_EQ(living.ports, 0);
}

}  // namespace
}  // namespace xenrig::test
