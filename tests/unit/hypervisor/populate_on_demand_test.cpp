// Populate-on-demand: a guest that boots with less memory than it was promised.
#include <gtest/gtest.h>

#include <vector>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

struct PopulateOnDemand : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {.frames = 256}};
    Guest dom0{hv, {.name = "dom0", .privileged = true}};
    Guest guest{hv, {.name = "guest", .type = GuestType::hvm, .max_frames = 8}, 0};

    // 16 gfns are promised, and 4 frames are there for them.
    void SetUp() override {
        EXPECT_EQ(promise({0}, 4), 1);
        EXPECT_EQ(target(XENMEM_set_pod_target, 4), 0);
    }
    void TearDown() override { EXPECT_EQ(hv.audit(), ""); }

    Answer reserve(Guest& who, unsigned op, std::vector<xen_pfn_t> gfns, unsigned order, unsigned flags) {
        xen_memory_reservation_t r{};
        r.domid = guest.id.value;
        r.nr_extents = gfns.size();
        r.extent_order = order;
        r.mem_flags = flags;
        r.extent_start.p = gfns.data();
        return who.call(__HYPERVISOR_memory_op, op, &r);
    }
    Answer promise(std::vector<xen_pfn_t> gfns, unsigned order) {
        return reserve(dom0, XENMEM_populate_physmap, std::move(gfns), order, XENMEMF_populate_on_demand);
    }
    Answer balloon(std::vector<xen_pfn_t> gfns, unsigned order = 0) {
        return reserve(guest, XENMEM_decrease_reservation, std::move(gfns), order, 0);
    }
    Answer target(unsigned op, std::uint64_t pages) {
        pod = {.target_pages = pages, .tot_pages = 0, .pod_cache_pages = 0, .pod_entries = 0, .domid = guest.id.value};
        return dom0.call(__HYPERVISOR_memory_op, op, &pod);
    }
    /// Total, cache, entries.
    std::vector<std::uint64_t> books() {
        EXPECT_EQ(target(XENMEM_get_pod_target, 0), 0);
        return {pod.tot_pages, pod.pod_cache_pages, pod.pod_entries};
    }
    void fill(std::uint64_t gfn) { guest.write(gfn, "in use"); }

    xen_pod_target_t pod{};
};

using Books = std::vector<std::uint64_t>;

TEST_F(PopulateOnDemand, AGfnGetsItsFrameWhenTheGuestFirstLooks) {
    EXPECT_EQ(books(), (Books{4, 4, 16}));
    EXPECT_FALSE(hv.lookup(guest.id, Gfn{3}).has_value());
    fill(3);
    EXPECT_STREQ(guest.text(3), "in use");
    EXPECT_EQ(books(), (Books{4, 3, 15}));
}

TEST_F(PopulateOnDemand, APeerThatIsGrantedTheFrameMakesItThereToo) {
    guest.map_special(XENMAPSPACE_grant_table, 0, Guest::kGrantGfn);
    guest.grant(8, dom0.id, 5);
    const auto mapping = dom0.map(guest.id, 8, 0x1000);
    EXPECT_EQ(mapping.rc, GNTST_okay);
    EXPECT_EQ(books(), (Books{4, 3, 15}));
    EXPECT_EQ(dom0.page(0x1000), guest.page(5));
    dom0.unmap(mapping.number, 0x1000);
}

TEST_F(PopulateOnDemand, APageThatIsStillZeroIsTakenBackForAnother) {
    for (const std::uint64_t gfn : {1, 2, 3}) fill(gfn);
    ASSERT_NE(guest.page(4), nullptr) << "looked at, and left as it was";
    fill(5);
    EXPECT_EQ(books(), (Books{4, 0, 12})) << "what 4 had is at 5 now";
    EXPECT_STREQ(guest.text(1), "in use");
    EXPECT_FALSE(hv.info(guest.id)->shut_down);
}

TEST_F(PopulateOnDemand, AGuestThatUsesMoreThanItHasCrashes) {
    for (const std::uint64_t gfn : {1, 2, 3, 4}) fill(gfn);
    EXPECT_EQ(guest.page(5), nullptr);
    EXPECT_TRUE(hv.info(guest.id)->shut_down);
    EXPECT_EQ(hv.info(guest.id)->shutdown_reason, unsigned{SHUTDOWN_crash});
}

TEST_F(PopulateOnDemand, TheBalloonGivesBackWhatWasNeverThere) {
    EXPECT_EQ(balloon({4}, 2), 1);
    EXPECT_EQ(books(), (Books{4, 4, 12}));
    EXPECT_EQ(guest.page(5), nullptr);
    EXPECT_FALSE(hv.info(guest.id)->shut_down) << "nothing stands there, and nothing was promised";
}

TEST_F(PopulateOnDemand, WhatTheBalloonGivesBackGoesToTheCacheWhileThatOwes) {
    fill(1);
    EXPECT_EQ(balloon({1}), 1);
    EXPECT_EQ(books(), (Books{4, 4, 15}));
    fill(2);
    EXPECT_STREQ(guest.text(2), "in use");
}

TEST_F(PopulateOnDemand, OnceTheBalloonHasReachedTheTargetFramesAreFreedWithTheEntries) {
    EXPECT_EQ(balloon({4, 8, 12}, 2), 3);
    EXPECT_EQ(books(), (Books{4, 4, 4}));
    EXPECT_EQ(balloon({3}), 1);
    EXPECT_EQ(books(), (Books{3, 3, 3}));
}

TEST_F(PopulateOnDemand, ATargetFillsTheCacheAndNoMoreThanThereAreEntries) {
    fill(0);
    EXPECT_EQ(target(XENMEM_set_pod_target, 7), 0);
    EXPECT_EQ(books(), (Books{7, 6, 15}));
    EXPECT_EQ(target(XENMEM_set_pod_target, 3), 0);
    EXPECT_EQ(books(), (Books{7, 6, 15})) << "the balloon makes it smaller, not the toolstack";
    EXPECT_EQ(balloon({8}, 3), 1);
    EXPECT_EQ(balloon({4}, 2), 1);
    EXPECT_EQ(target(XENMEM_set_pod_target, 8), 0);
    EXPECT_EQ(books(), (Books{4, 3, 3}));
}

TEST_F(PopulateOnDemand, AHostOrADomainThatIsFullSaysSo) {
    EXPECT_EQ(target(XENMEM_set_pod_target, 9), error(Errno::nomem)) << "its maximum is 8";
    EXPECT_EQ(books(), (Books{8, 8, 16}));
}

TEST_F(PopulateOnDemand, ADomainMakesNoPromisesToItselfNorOverMemory) {
    EXPECT_EQ(reserve(guest, XENMEM_populate_physmap, {100}, 0, XENMEMF_populate_on_demand), 0);
    fill(2);
    EXPECT_EQ(promise({2}, 0), 0);
    EXPECT_EQ(promise({1}, 0), 1) << "one that waits may be promised again";
    EXPECT_EQ(books(), (Books{4, 3, 15}));
    Guest pv(hv, {.name = "pv", .type = GuestType::pv}, 1);
    pod.domid = pv.id.value;
    EXPECT_EQ(dom0.call(__HYPERVISOR_memory_op, XENMEM_get_pod_target, &pod), error(Errno::inval));
    pod.domid = DOMID_SELF;
    EXPECT_EQ(guest.call(__HYPERVISOR_memory_op, XENMEM_get_pod_target, &pod), error(Errno::perm));
}

TEST_F(PopulateOnDemand, MemoryOfItsOwnStandsOverAnEntry) {
    EXPECT_EQ(balloon({8}, 3), 1);
    EXPECT_EQ(reserve(dom0, XENMEM_populate_physmap, {3}, 0, 0), 1);
    EXPECT_EQ(books(), (Books{5, 4, 7}));
    EXPECT_EQ(guest.map_special(XENMAPSPACE_shared_info, 0, 4), 0);
    EXPECT_EQ(books(), (Books{4, 3, 6})) << "what it displaced was populated for that, and freed";
}

TEST_F(PopulateOnDemand, TheCacheDiesWithItsDomain) {
    const auto free = hv.memory().frames_free();
    ASSERT_TRUE(hv.destroy_domain(guest.id).has_value());
    EXPECT_EQ(hv.memory().frames_free(), free + 4 + 2) << "and shared_info and a grant frame";
}

}  // namespace
}  // namespace xenrig::test
