// Every order in which three domains that hold each other's frames and ports can end, let go and time out: after each
// step the host's books are in order, a domain stays exactly as long as somebody uses a frame of it, and at the end
// nothing is left.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <string>

#include "fake_machine.h"
#include "guest.h"
#include "living.h"

namespace xenrig::test {
namespace {

constexpr std::uint64_t kWindow = 0x4'0000;
constexpr std::uint32_t kRef = 8;

/// A ring of three: each grants a frame to the next, which maps it, and has a port to it.
class Ring {
public:
    static constexpr std::size_t kDomains = 3;

    Ring() {
        hv.set_observer(&living);
        dom0.emplace(hv, DomainConfig{.name = "dom0", .privileged = true}, 4);
        exceptions = dom0->bind_virq(VIRQ_DOM_EXC).number;
        living_dom0 = living;
        for (std::size_t i = 0; i < kDomains; ++i)
            guests[i].emplace(hv, DomainConfig{.name = std::string(1, static_cast<char>('a' + i)), .vcpus = 2}, 12);
        for (std::size_t i = 0; i < kDomains; ++i) connect(i);
        for (std::size_t i = 0; i < kDomains; ++i) occupy(i);
    }

    Guest& guest(std::size_t i) { return *guests[i % kDomains]; }
    bool listed(std::size_t i) { return hv.info(guest(i).id).has_value(); }
    /// Its frame is mapped by the next, as long as that lives and has not let go.
    bool used(std::size_t i) const { return mapped[i] && !destroyed[(i + 1) % kDomains]; }

    void unmap(std::size_t i) {
        if (!destroyed[(i + 1) % kDomains]) {
            EXPECT_EQ(guest(i + 1).unmap(handles[i], kWindow), GNTST_okay);
        }
        mapped[i] = false;
    }
    void destroy(std::size_t i, bool killed_first) {
        dom0->clear_events();
        if (killed_first) {
            EXPECT_TRUE(hv.kill_domain(guest(i).id));
        }
        EXPECT_TRUE(hv.destroy_domain(guest(i).id));
        EXPECT_TRUE(dom0->bits(exceptions).pending) << "VIRQ_DOM_EXC";
        destroyed[i] = true;
    }

    FakeMachine machine;
    Living living, living_dom0;
    Hypervisor hv{machine, {.frames = 96}};
    std::optional<Guest> dom0;
    std::uint32_t exceptions = 0;
    std::array<std::optional<Guest>, kDomains> guests;
    std::array<std::uint32_t, kDomains> handles{};
    std::array<bool, kDomains> mapped{}, destroyed{};

private:
    void connect(std::size_t i) {
        Guest& from = guest(i);
        Guest& to = guest(i + 1);
        from.grant(kRef, to.id, 3, GTF_permit_access | (i == 2 ? GTF_readonly : 0));
        const Numbered mapping = to.map(from.id, kRef, kWindow, GNTMAP_host_map | (i == 2 ? GNTMAP_readonly : 0));
        ASSERT_EQ(mapping.rc, GNTST_okay);
        handles[i] = mapping.number;
        mapped[i] = true;
        const std::uint32_t port = from.alloc_unbound(to.id).number;
        if (i != 1) {
            EXPECT_EQ(to.bind_interdomain(from.id, port).rc, 0);
        }
    }

    /// What else a domain may leave behind: timers of each kind, a poll, a vcpu_info and FIFO pages in its own frames.
    void occupy(std::size_t i) {
        Guest& g = guest(i);
        EXPECT_EQ(g.bind_virq(VIRQ_TIMER).rc, 0);
        const std::uint32_t ipi = g.bind_ipi(1).number;
        const std::uint64_t soon = (machine.now() + 5_ms).value;
        EXPECT_EQ(g.call(__HYPERVISOR_set_timer_op, soon), 0);
        vcpu_set_periodic_timer_t periodic{.period_ns = (2_ms).value};
        EXPECT_EQ(g.call(__HYPERVISOR_vcpu_op, VCPUOP_set_periodic_timer, 0, &periodic), 0);
        vcpu_set_singleshot_timer_t shot{.timeout_abs_ns = soon, .flags = 0};
        EXPECT_EQ(g.call(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, &shot), 0);
        sched_watchdog_t watchdog{.id = 0, .timeout = 60};
        EXPECT_EQ(g.call(__HYPERVISOR_sched_op, SCHEDOP_watchdog, &watchdog), 1);
        vcpu_register_vcpu_info_t info{.mfn = 5, .offset = 0, .rsvd = 0};
        EXPECT_EQ(g.call(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, &info), 0);
        if (i == 0) {
            for (std::uint32_t v = 0; v < 2; ++v) {
                evtchn_init_control_t control{};
                control.control_gfn = 6 + v, control.vcpu = v;
                EXPECT_EQ(g.event(EVTCHNOP_init_control, control), 0);
            }
            EXPECT_EQ(g.event(EVTCHNOP_expand_array, evtchn_expand_array_t{8}), 0);
        }
        hv.attach_vcpu(g.id, VcpuId{0}, machine.cpu("v0"));
        if (i == 1) return;
        evtchn_port_t ports[] = {ipi};
        sched_poll_t poll{};
        poll.ports.p = ports;
        poll.nr_ports = 1;
        poll.timeout = soon;
        EXPECT_EQ(g.call(__HYPERVISOR_sched_op, SCHEDOP_poll, &poll), 0);
    }
};

/// 0 to 2: a domain ends; 3 to 5: a mapping of its frame does; 6: time passes.
constexpr std::size_t kMoves = 7;

void make(Ring& ring, std::size_t move, bool killed_first) {
    if (move < 3) return ring.destroy(move, killed_first);
    if (move < 6) return ring.unmap(move - 3);
    ring.machine.pass(6_ms);
}

void check_step(Ring& ring) {
    ASSERT_EQ(ring.hv.audit(), "");
    int maps = 0;
    for (std::size_t i = 0; i < Ring::kDomains; ++i) {
        ASSERT_EQ(ring.listed(i), !ring.destroyed[i] || ring.used(i)) << i;
        maps += ring.used(i) ? 1 : 0;
    }
    ASSERT_EQ(ring.living.maps, maps);
    ASSERT_EQ(ring.living.pins, maps);
}

TEST(Teardown, EveryOrderLeavesTheBooksInOrderAndNothingBehind) {
    std::array<std::size_t, kMoves> order;
    std::iota(order.begin(), order.end(), 0);
    unsigned orders = 0;
    do {
        Ring ring;
        ASSERT_EQ(ring.hv.audit(), "");
        for (const std::size_t move : order) {
            make(ring, move, orders % 2 == 1);
            check_step(ring);
            if (testing::Test::HasFatalFailure())
                FAIL() << "order " << testing::PrintToString(order) << " at move " << move;
        }
        ASSERT_EQ(ring.living.frames, ring.living_dom0.frames);
        ASSERT_EQ(ring.living.ports, ring.living_dom0.ports);
        ASSERT_EQ(ring.living.domains, 1);
        ASSERT_EQ(ring.machine.timers(), 0u);
        ASSERT_EQ(ring.hv.domains(), std::vector{ring.dom0->id});
        ++orders;
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(orders, 5'040u);
}

TEST(Teardown, TheNumbersOfTheDeadAreGivenOutAgainAndThoseOfZombiesAreNot) {
    FakeMachine machine;
    Hypervisor hv(machine, {.frames = 256, .first_domid = DomId{0x7fed}});
    Guest zombie(hv, {.name = "zombie"}, 4), holder(hv, {.name = "holder"}, 4), gone(hv, {.name = "gone"}, 4);
    zombie.grant(kRef, holder.id, 2);
    const Numbered mapping = holder.map(zombie.id, kRef, kWindow);
    ASSERT_TRUE(hv.destroy_domain(zombie.id));
    ASSERT_TRUE(hv.destroy_domain(gone.id));
    EXPECT_EQ(holder.id, DomId{0x7fee});
    // Round once through all numbers.
    for (unsigned i = 1; i < 0x7fed; ++i) {
        const auto next = hv.create_domain({.name = "next"});
        ASSERT_TRUE(next);
        ASSERT_EQ(*next, DomId{static_cast<std::uint16_t>(i)});
        ASSERT_TRUE(hv.destroy_domain(*next));
    }
    EXPECT_EQ(hv.create_domain({.name = "reborn"}).value(), DomId{0x7fef}) << "not the zombie's";
    holder.unmap(mapping.number, kWindow);
    EXPECT_FALSE(hv.info(zombie.id).has_value());
    EXPECT_EQ(hv.audit(), "");
}

}  // namespace
}  // namespace xenrig::test
