// Physical interrupts: lines of the machine that a control domain gives to domains, and the ports on which they come.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"

#include <xen/physdev.h>

namespace xenrig::test {
namespace {

struct Physdev : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {.frames = 256}};
    Guest dom0{hv, {.name = "dom0", .type = GuestType::pv, .privileged = true}};
    Guest driver{hv, {.name = "driver", .type = GuestType::pv}};
    Guest hvm{hv, {.name = "hvm", .type = GuestType::hvm}};

    void SetUp() override {
        for (Guest* g : {&dom0, &driver}) std::memset(g->shared().evtchn_mask, 0, sizeof g->shared().evtchn_mask);
    }
    void TearDown() override { EXPECT_EQ(hv.audit(), ""); }

    template <class Op>
    Answer ask(Guest& who, unsigned number, Op& op) {
        return who.call(__HYPERVISOR_physdev_op, number, &op);
    }
    /// The answer, and the pirq.
    Numbered map(Guest& who, DomId dom, int line, int pirq = -1) {
        physdev_map_pirq_t op{};
        op.domid = dom.value;
        op.type = MAP_PIRQ_TYPE_GSI;
        op.index = line;
        op.pirq = pirq;
        const Answer rc = ask(who, PHYSDEVOP_map_pirq, op);
        return {rc, static_cast<std::uint32_t>(op.pirq)};
    }
    Answer unmap(Guest& who, DomId dom, std::uint32_t pirq) {
        physdev_unmap_pirq_t op{.domid = dom.value, .pirq = static_cast<int>(pirq)};
        return ask(who, PHYSDEVOP_unmap_pirq, op);
    }
    Numbered bind(Guest& who, std::uint32_t pirq, std::uint32_t flags = 0) {
        evtchn_bind_pirq_t op{.pirq = pirq, .flags = flags, .port = 0};
        const Answer rc = who.event(EVTCHNOP_bind_pirq, op);
        return {rc, op.port};
    }
    Answer eoi(Guest& who, std::uint32_t pirq) {
        physdev_eoi_t op{pirq};
        return ask(who, PHYSDEVOP_eoi, op);
    }
    Answer set_up(int gsi, bool level) {
        physdev_setup_gsi_t op{.gsi = gsi, .triggering = level, .polarity = level};
        return ask(dom0, PHYSDEVOP_setup_gsi, op);
    }
    /// Did the line's event come? Takes it.
    bool came(Guest& who, std::uint32_t port) {
        const bool pending = who.bits(port).pending;
        who.clear_events();
        return pending;
    }
};

constexpr DomId kSelf{DOMID_SELF};

TEST_F(Physdev, ALineComesOnThePortToWhichItsPirqIsBound) {
    const auto pirq = map(dom0, kSelf, 9);
    ASSERT_EQ(pirq.rc, 0);
    EXPECT_EQ(pirq.number, 16u);
    const auto port = bind(dom0, 16);
    ASSERT_EQ(port.rc, 0);
    EXPECT_FALSE(came(dom0, port.number));
    ASSERT_TRUE(hv.raise_interrupt(9).has_value());
    EXPECT_TRUE(came(dom0, port.number));
    ASSERT_TRUE(hv.raise_interrupt(9).has_value());
    EXPECT_TRUE(came(dom0, port.number)) << "an edge needs no end";
    dom0.close(port.number);
    ASSERT_TRUE(hv.raise_interrupt(9).has_value());
    EXPECT_FALSE(came(dom0, port.number));
    EXPECT_FALSE(hv.raise_interrupt(24).has_value());
}

TEST_F(Physdev, ALevelLineIsInServiceUntilItsEnd) {
    ASSERT_EQ(set_up(17, true), 0);
    EXPECT_EQ(set_up(17, false), error(Errno::exist));
    const auto pirq = map(dom0, kSelf, 17);
    const auto port = bind(dom0, pirq.number);
    ASSERT_TRUE(hv.raise_interrupt(17).has_value());
    EXPECT_TRUE(came(dom0, port.number));
    ASSERT_TRUE(hv.raise_interrupt(17).has_value());
    EXPECT_FALSE(came(dom0, port.number)) << "masked until the first is served";
    EXPECT_EQ(eoi(dom0, pirq.number), 0);
    EXPECT_TRUE(came(dom0, port.number)) << "the line was up again";
    EXPECT_EQ(eoi(dom0, pirq.number), 0);
    EXPECT_FALSE(came(dom0, port.number));
}

TEST_F(Physdev, ALineThatTwoDomainsShareWaitsForBoth) {
    ASSERT_EQ(set_up(17, true), 0);
    const auto mine = map(dom0, kSelf, 17), theirs = map(dom0, driver.id, 17);
    ASSERT_EQ(theirs.rc, 0);
    const auto port = bind(dom0, mine.number, BIND_PIRQ__WILL_SHARE);
    EXPECT_EQ(bind(driver, theirs.number).rc, error(Errno::busy)) << "who does not share can't have it";
    const auto other = bind(driver, theirs.number, BIND_PIRQ__WILL_SHARE);
    ASSERT_EQ(other.rc, 0);
    physdev_irq_status_query_t status{.irq = mine.number, .flags = 0};
    EXPECT_EQ(ask(dom0, PHYSDEVOP_irq_status_query, status), 0);
    EXPECT_EQ(status.flags, unsigned{XENIRQSTAT_needs_eoi | XENIRQSTAT_shared});
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(hv.raise_interrupt(17).has_value());
    EXPECT_TRUE(came(dom0, port.number));
    EXPECT_TRUE(came(driver, other.number));
    EXPECT_EQ(eoi(dom0, mine.number), 0);
    EXPECT_FALSE(came(dom0, port.number));
    ASSERT_TRUE(hv.destroy_domain(driver.id).has_value());
    EXPECT_TRUE(came(dom0, port.number)) << "a domain's end ends what it had in service";
}

TEST_F(Physdev, AnOrdinaryDomainBindsWhatItWasGivenAndMapsNothing) {
    EXPECT_EQ(map(driver, kSelf, 9).rc, error(Errno::perm));
    EXPECT_EQ(bind(driver, 16).rc, error(Errno::perm)) << "nothing is behind it";
    const auto pirq = map(dom0, driver.id, 9, 20);
    ASSERT_EQ(pirq.rc, 0);
    EXPECT_EQ(bind(driver, 20).rc, 0);
    EXPECT_EQ(bind(driver, 20).rc, error(Errno::exist));
    EXPECT_EQ(bind(driver, 56).rc, error(Errno::inval)) << "24 lines and 32 more";
    EXPECT_EQ(unmap(driver, kSelf, 20), error(Errno::perm));
    EXPECT_EQ(unmap(dom0, DomId{99}, 20), error(Errno::srch));
}

TEST_F(Physdev, AMappingThatIsTakenFromABoundPortStaysNamedUntilThePortIsClosed) {
    const auto pirq = map(dom0, driver.id, 9);
    const auto port = bind(driver, pirq.number);
    EXPECT_EQ(unmap(dom0, driver.id, pirq.number), 0);
    EXPECT_EQ(unmap(dom0, driver.id, pirq.number), error(Errno::inval));
    ASSERT_TRUE(hv.raise_interrupt(9).has_value());
    EXPECT_FALSE(came(driver, port.number));
    EXPECT_EQ(driver.status(port.number).number, unsigned{EVTCHNSTAT_pirq});
    EXPECT_EQ(map(dom0, driver.id, 9).rc, error(Errno::busy));
    EXPECT_EQ(driver.close(port.number), 0);
    EXPECT_EQ(map(dom0, driver.id, 9).rc, 0);
}

TEST_F(Physdev, TheEoiPageSaysWhichPirqsNeedAnEndAndVersionOneUnmasksWithIt) {
    ASSERT_EQ(set_up(17, true), 0);
    physdev_pirq_eoi_gmfn_t page{.gmfn = hv.lookup(dom0.id, Gfn{5})->value};
    EXPECT_EQ(ask(dom0, PHYSDEVOP_pirq_eoi_gmfn_v1, page), 0);
    EXPECT_EQ(ask(dom0, PHYSDEVOP_pirq_eoi_gmfn_v2, page), error(Errno::busy));
    const auto level = map(dom0, kSelf, 17), edge = map(dom0, kSelf, 6);
    const auto port = bind(dom0, level.number);
    bind(dom0, edge.number);
    std::uint64_t word = 0;
    std::memcpy(&word, dom0.page(5), sizeof word);
    EXPECT_EQ(word, 1u << level.number);
    dom0.mask_all();
    EXPECT_EQ(eoi(dom0, level.number), 0);
    EXPECT_FALSE(dom0.bits(port.number).masked);
}

TEST_F(Physdev, AnHvmGuestMapsLinesOfItsOwnChipset) {
    const auto pirq = map(hvm, kSelf, 5);
    ASSERT_EQ(pirq.rc, 0);
    EXPECT_EQ(pirq.number, 16u);
    EXPECT_EQ(map(hvm, kSelf, 48).rc, error(Errno::inval));
    const auto port = bind(hvm, pirq.number);
    EXPECT_EQ(port.rc, 0);
    EXPECT_EQ(bind(hvm, 40).rc, 0) << "it needs no line behind it";
    physdev_irq_status_query_t status{.irq = 30, .flags = 0};
    EXPECT_EQ(ask(hvm, PHYSDEVOP_irq_status_query, status), error(Errno::inval));
    status.irq = pirq.number;
    EXPECT_EQ(ask(hvm, PHYSDEVOP_irq_status_query, status), 0);
    EXPECT_EQ(unmap(hvm, kSelf, pirq.number), 0);
}

TEST_F(Physdev, TheTimerAndTheConsolesLineAreTheHypervisors) {
    EXPECT_EQ(map(dom0, kSelf, 0).rc, error(Errno::perm));
    const auto pirq = map(dom0, kSelf, 4);
    EXPECT_EQ(pirq.rc, 0);
    EXPECT_EQ(bind(dom0, pirq.number).rc, error(Errno::busy));
    EXPECT_EQ(set_up(4, true), error(Errno::exist));
}

TEST_F(Physdev, DevicesAreWhatTheControlDomainToldOf) {
    physdev_pci_device_add_t add{};
    add.seg = 1, add.bus = 2, add.devfn = 8;
    physdev_pci_device_t same{.seg = 1, .bus = 2, .devfn = 8};
    EXPECT_EQ(ask(driver, PHYSDEVOP_pci_device_add, add), error(Errno::perm));
    EXPECT_EQ(ask(dom0, PHYSDEVOP_restore_msi_ext, same), error(Errno::nodev));
    EXPECT_EQ(ask(dom0, PHYSDEVOP_pci_device_add, add), 0);
    EXPECT_EQ(ask(dom0, PHYSDEVOP_restore_msi_ext, same), 0);
    EXPECT_EQ(ask(driver, PHYSDEVOP_restore_msi_ext, same), error(Errno::perm));
    EXPECT_EQ(ask(dom0, PHYSDEVOP_pci_device_remove, same), 0);
    EXPECT_EQ(ask(dom0, PHYSDEVOP_pci_device_remove, same), error(Errno::nodev));
}

}  // namespace
}  // namespace xenrig::test
