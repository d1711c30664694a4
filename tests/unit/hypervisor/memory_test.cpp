// Machine memory, reservations, the physmap and the parameters of a guest.
#include <gtest/gtest.h>

#include <set>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

using hypervisor::FrameKind;
using hypervisor::kPoison;
using hypervisor::MachineMemory;

std::uint64_t first_word(const std::byte* page) {
    std::uint64_t word;
    std::memcpy(&word, page, sizeof word);
    return word;
}

TEST(MachineMemory, AFrameReadsAsZeroesWhenAllocatedAndAsPoisonWhenFreed) {
    MachineMemory memory(2, Mfn{100});
    const Mfn a = *memory.allocate(DomId{1}, FrameKind::ram);
    EXPECT_EQ(a, Mfn{100});
    std::byte* page = memory.page(a);
    EXPECT_EQ(first_word(page), 0u);
    page[0] = std::byte{7};
    EXPECT_TRUE(memory.put(a));
    EXPECT_EQ(first_word(page), kPoison);
    EXPECT_TRUE(memory.overwritten_poison().empty());
    page[9] = std::byte{1};
    EXPECT_EQ(memory.overwritten_poison(), std::vector{a});
    page[9] = std::byte{0};
}

TEST(MachineMemory, AFreedFrameIsUsedAgainLastAndIsZeroAgain) {
    MachineMemory memory(2, Mfn{100});
    const Mfn a = *memory.allocate(DomId{1}, FrameKind::ram);
    memory.page(a)[0] = std::byte{7};
    memory.put(a);
    EXPECT_EQ(*memory.allocate(DomId{1}, FrameKind::ram), Mfn{101});
    EXPECT_EQ(*memory.allocate(DomId{1}, FrameKind::ram), a);
    EXPECT_EQ(first_word(memory.page(a)), 0u);
    EXPECT_FALSE(memory.allocate(DomId{1}, FrameKind::ram));
}

TEST(MachineMemory, AFrameInUseStaysUntilTheLastUse) {
    MachineMemory memory(4, Mfn{100});
    const Mfn a = *memory.allocate(DomId{1}, FrameKind::ram);
    memory.get(a);
    EXPECT_FALSE(memory.put(a));
    EXPECT_EQ(memory.frames_allocated(), 1u);
    EXPECT_TRUE(memory.put(a));
    EXPECT_EQ(memory.frames_allocated(), 0u);
    EXPECT_EQ(memory.frames_free(), 4u);
    const auto count = memory.recount();
    EXPECT_EQ(count.allocated, 0u);
    EXPECT_EQ(count.free, 4u);
}

TEST(MachineMemory, AnArenaOfAnEarlierWorldReadsAsZeroes) {
    for (int world = 0; world < 3; ++world) {
        MachineMemory memory(64, Mfn{100});
        const Mfn a = *memory.allocate(DomId{1}, FrameKind::ram);
        EXPECT_EQ(first_word(memory.page(a)), 0u);
        memory.page(a)[5] = std::byte{9};
    }
}

struct Memory : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {.frames = 256}};
    Guest dom0{hv, {.name = "dom0", .privileged = true}};
    Guest guest{hv, {.name = "guest", .max_frames = 20}};

    void TearDown() override { EXPECT_EQ(hv.audit(), ""); }

    Answer reserve(unsigned op, std::vector<xen_pfn_t> gfns, unsigned order = 0) {
        xen_memory_reservation_t r{};
        r.domid = DOMID_SELF;
        r.nr_extents = gfns.size();
        r.extent_order = order;
        r.extent_start.p = gfns.data();
        return guest.call(__HYPERVISOR_memory_op, op, &r);
    }
    Answer ask(unsigned op, DomId about) {
        domid_t dom = about.value;
        return guest.call(__HYPERVISOR_memory_op, op, &dom);
    }
};

TEST_F(Memory, ABalloonGivesFramesBackAndTakesThemAgainZeroed) {
    guest.write(5, "secret");
    const Mfn before = *hv.lookup(guest.id, Gfn{5});
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, {5, 6}), 2);
    EXPECT_EQ(guest.page(5), nullptr);
    EXPECT_EQ(ask(XENMEM_current_reservation, guest.id), 14);
    EXPECT_EQ(reserve(XENMEM_populate_physmap, {5}), 1);
    EXPECT_NE(*hv.lookup(guest.id, Gfn{5}), before);
    EXPECT_EQ(first_word(guest.page(5)), 0u);
}

TEST_F(Memory, AReservationSaysHowFarItCame) {
    EXPECT_EQ(reserve(XENMEM_populate_physmap, {100, 101, 102, 103, 104, 105}), 4) << "20 frames and no more";
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, {100, 999, 101}), 1);
    EXPECT_EQ(ask(XENMEM_maximum_reservation, guest.id), 20);
    EXPECT_EQ(ask(XENMEM_current_reservation, DomId{77}), error(Errno::srch));
    EXPECT_EQ(ask(XENMEM_current_reservation, dom0.id), error(Errno::perm));
    EXPECT_EQ(guest.call(__HYPERVISOR_memory_op, 63, 0), error(Errno::nosys));
}

TEST_F(Memory, AnExtentOfAnOrderIsAllOrNothing) {
    EXPECT_EQ(reserve(XENMEM_populate_physmap, {200}, 2), 1);
    EXPECT_NE(guest.page(203), nullptr);
    EXPECT_EQ(reserve(XENMEM_populate_physmap, {300}, 2), 0);
    EXPECT_EQ(guest.page(300), nullptr);
    EXPECT_EQ(hv.info(guest.id)->frames, 20u);
}

TEST_F(Memory, SharedInfoIsSeenWhereTheGuestPutsIt) {
    ASSERT_EQ(guest.map_special(XENMAPSPACE_shared_info, 0, 900), 0);
    EXPECT_EQ(guest.page(900), hv.shared_info(guest.id));
    ASSERT_EQ(guest.map_special(XENMAPSPACE_shared_info, 0, 901), 0);
    EXPECT_EQ(guest.page(900), nullptr) << "one place at a time";
    EXPECT_EQ(guest.map_special(XENMAPSPACE_shared_info, 1, 902), error(Errno::inval));
}

TEST_F(Memory, WhatIsPutOverMemoryOfTheGuestFreesIt) {
    ASSERT_EQ(guest.map_special(XENMAPSPACE_shared_info, 0, 4), 0);
    EXPECT_EQ(hv.info(guest.id)->frames, 15u);
}

TEST_F(Memory, AFrameMovesToAnotherGfn) {
    guest.write(4, "moved");
    ASSERT_EQ(guest.map_special(XENMAPSPACE_gmfn, 4, 40), 0);
    EXPECT_STREQ(guest.text(40), "moved");
    EXPECT_EQ(guest.page(4), nullptr);
}

TEST_F(Memory, AFrameThatAPeerMapsOutlivesItsBalloon) {
    guest.write(5, "still here");
    guest.grant(8, dom0.id, 5);
    const auto mapping = dom0.map(guest.id, 8, 0x1000);
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, {5}), 1);
    EXPECT_STREQ(dom0.text(0x1000), "still here");
    EXPECT_EQ(hv.info(guest.id)->frames, 16u) << "it is the guest's until it is free";
    EXPECT_EQ(dom0.unmap(mapping.number, 0x1000), GNTST_okay);
    EXPECT_EQ(hv.info(guest.id)->frames, 15u);
}

TEST_F(Memory, AGrantedFrameCantBeBallooned) {
    dom0.grant(8, guest.id, 3);
    const auto mapping = guest.map(dom0.id, 8, 0x1000);
    EXPECT_EQ(reserve(XENMEM_decrease_reservation, {0x1000}), 0);
    guest.unmap(mapping.number, 0x1000);
}

TEST_F(Memory, AGuestSetsSomeParametersAndReadsTheStores) {
    ASSERT_TRUE(hv.set_param(guest.id, HVM_PARAM_STORE_PFN, 7));
    const auto param = [&](unsigned op, unsigned index, std::uint64_t value) {
        xen_hvm_param_t p{.domid = DOMID_SELF, .pad = 0, .index = index, .value = value};
        const Answer rc = guest.call(__HYPERVISOR_hvm_op, op, &p);
        return std::pair{rc, p.value};
    };
    EXPECT_EQ(param(HVMOP_get_param, HVM_PARAM_STORE_PFN, 0), (std::pair{Answer{0}, std::uint64_t{7}}));
    EXPECT_EQ(param(HVMOP_set_param, HVM_PARAM_STORE_PFN, 8).first, error(Errno::perm));
    EXPECT_EQ(param(HVMOP_set_param, HVM_PARAM_CALLBACK_IRQ, 0x2f).first, 0);
    EXPECT_EQ(*hv.get_param(guest.id, HVM_PARAM_CALLBACK_IRQ), 0x2fu);
    EXPECT_EQ(param(HVMOP_get_param, HVM_NR_PARAMS, 0).first, error(Errno::inval));
    Guest pv(hv, {.name = "pv", .type = GuestType::pv}, 1);
    EXPECT_EQ(hv.set_param(pv.id, HVM_PARAM_STORE_PFN, 1).error().code, Errno::inval);
}

TEST_F(Memory, OnlyWhatIsSaidToBeWrittenIsDirty) {
    ASSERT_TRUE(hv.enable_log_dirty(guest.id));
    hv.address_space(guest.id).mark_dirty(Gfn{9});
    hv.address_space(guest.id).mark_dirty(Gfn{2});
    reserve(XENMEM_populate_physmap, {17});
    EXPECT_EQ(hv.clean_dirty(guest.id), (std::vector{Gfn{2}, Gfn{9}, Gfn{17}}));
    EXPECT_TRUE(hv.clean_dirty(guest.id).empty());
}

TEST_F(Memory, TheVersionAndTheFeaturesAreThoseOf417) {
    EXPECT_EQ(guest.call(__HYPERVISOR_xen_version, XENVER_version, 0), 0x40011);
    EXPECT_EQ(guest.call(__HYPERVISOR_xen_version, 99, 0), error(Errno::nosys));
    xen_feature_info_t features{.submap_idx = 0, .submap = 0};
    EXPECT_EQ(guest.call(__HYPERVISOR_xen_version, XENVER_get_features, &features), 0);
    EXPECT_TRUE(features.submap & 1u << XENFEAT_auto_translated_physmap);
    features.submap_idx = 5;
    EXPECT_EQ(guest.call(__HYPERVISOR_xen_version, XENVER_get_features, &features), error(Errno::inval));
    Guest pv0(hv, {.name = "pv0", .type = GuestType::pv, .privileged = true}, 1);
    features.submap_idx = 0;
    pv0.call(__HYPERVISOR_xen_version, XENVER_get_features, &features);
    EXPECT_EQ(features.submap, 0x228e0u) << "recorded from dom0 of Xen 4.17";
    EXPECT_EQ(pv0.call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3), 0);
    pv0.call(__HYPERVISOR_xen_version, XENVER_get_features, &features);
    EXPECT_EQ(features.submap, 0x228f0u) << "as of a kernel whose ELF note asks for it";
}

}  // namespace
}  // namespace xenrig::test
