// Grants between two translated guests: what each sees of the entry, of the frame, and of the answer.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

constexpr std::uint64_t kWindow = 0x4'0000;

struct Grants : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {.first_handle = GrantHandle{500}}};
    Guest dom0{hv, {.name = "dom0", .privileged = true}};
    Guest front{hv, {.name = "front"}};
    Guest back{hv, {.name = "back"}};

    void TearDown() override { EXPECT_EQ(hv.audit(), ""); }
};

TEST_F(Grants, AMappingIsTheGrantersOwnFrame) {
    front.write(3, "from front");
    front.grant(8, back.id, 3);
    const auto mapping = back.map(front.id, 8, kWindow);
    ASSERT_EQ(mapping.rc, GNTST_okay);
    EXPECT_STREQ(back.text(kWindow), "from front");
    back.write(kWindow, "from back");
    EXPECT_STREQ(front.text(3), "from back");
    EXPECT_EQ(front.flags(8), GTF_permit_access | GTF_reading | GTF_writing);
    EXPECT_EQ(back.unmap(mapping.number, kWindow), GNTST_okay);
    EXPECT_EQ(back.page(kWindow), nullptr);
    EXPECT_EQ(front.flags(8), GTF_permit_access);
}

TEST_F(Grants, HandlesBeginWhereTheHostSaysAndFreedOnesComeLast) {
    front.grant(8, back.id, 3);
    EXPECT_EQ(back.map(front.id, 8, kWindow).number, 500u);
    EXPECT_EQ(back.map(front.id, 8, kWindow + 1).number, 501u);
    EXPECT_EQ(back.unmap(500, kWindow), GNTST_okay);
    EXPECT_EQ(back.map(front.id, 8, kWindow).number, 502u);
    EXPECT_EQ(back.unmap(0, kWindow), GNTST_bad_handle) << "a number of another host";
    back.unmap(501, kWindow + 1);
    back.unmap(502, kWindow);
}

TEST_F(Grants, TheEntryIsTakenOnceAndLaterChangesOfItDontMatterUntilTheLastUnmap) {
    front.grant(8, back.id, 3);
    const auto first = back.map(front.id, 8, kWindow, GNTMAP_host_map | GNTMAP_readonly);
    EXPECT_EQ(front.flags(8), GTF_permit_access | GTF_reading);
    front.grants()[8].frame = 5;
    front.write(3, "the first frame");
    const auto second = back.map(front.id, 8, kWindow + 1);
    EXPECT_STREQ(back.text(kWindow + 1), "the first frame");
    EXPECT_EQ(front.flags(8), GTF_permit_access | GTF_reading | GTF_writing);
    back.unmap(second.number, kWindow + 1);
    EXPECT_EQ(front.flags(8), GTF_permit_access | GTF_reading);
    back.unmap(first.number, kWindow);
    EXPECT_EQ(front.flags(8), GTF_permit_access);
}

TEST_F(Grants, AnotherDomainCantUseAGrantThatIsInUse) {
    front.grant(8, back.id, 3);
    const auto mapping = back.map(front.id, 8, kWindow);
    EXPECT_EQ(dom0.map(front.id, 8, kWindow).rc, GNTST_general_error);
    back.unmap(mapping.number, kWindow);
}

TEST_F(Grants, ATranslatedGuestMapsHostAddressesOnly) {
    front.grant(8, back.id, 3);
    EXPECT_EQ(back.map(front.id, 8, kWindow, 0).rc, GNTST_bad_gntref);
    EXPECT_EQ(back.map(front.id, 8, kWindow, GNTMAP_host_map | GNTMAP_device_map).rc, GNTST_general_error);
    EXPECT_EQ(back.map(front.id, 8, kWindow, GNTMAP_host_map | GNTMAP_application_map).rc, GNTST_general_error);
    EXPECT_EQ(back.map(DomId{77}, 8, kWindow).rc, GNTST_bad_domain);
    EXPECT_EQ(back.map(DomId{DOMID_SELF}, 8, kWindow).rc, GNTST_bad_domain);
    EXPECT_EQ(back.map(front.id, 511, kWindow).rc, GNTST_general_error);
    EXPECT_EQ(back.map(front.id, 512, kWindow).rc, GNTST_bad_gntref);
}

TEST_F(Grants, AnUnmapNamesTheHandleAndThePlace) {
    front.grant(8, back.id, 3);
    front.grant(9, back.id, 4);
    const auto one = back.map(front.id, 8, kWindow);
    const auto two = back.map(front.id, 9, kWindow + 1);
    EXPECT_EQ(back.unmap(one.number, kWindow + 1), GNTST_general_error);
    EXPECT_EQ(back.unmap(two.number, kWindow), GNTST_general_error);
    EXPECT_EQ(back.unmap(one.number, kWindow), GNTST_okay);
    EXPECT_EQ(back.unmap(one.number, kWindow), GNTST_bad_handle);
    EXPECT_EQ(back.unmap(two.number, kWindow + 1), GNTST_okay);
}

TEST_F(Grants, MappingOverAMappingCrashesWhoTriesIt) {
    front.grant(8, back.id, 3);
    back.map(front.id, 8, kWindow);
    EXPECT_EQ(back.map(front.id, 8, kWindow).rc, GNTST_general_error);
    EXPECT_TRUE(hv.info(back.id)->shut_down);
    EXPECT_EQ(hv.info(back.id)->shutdown_reason, unsigned{SHUTDOWN_crash});
}

TEST_F(Grants, MappingOverOwnMemoryHidesItAndItIsFreedWithTheDomain) {
    front.grant(8, back.id, 3);
    const auto mapping = back.map(front.id, 8, 5);
    EXPECT_EQ(mapping.rc, GNTST_okay);
    EXPECT_EQ(hv.info(back.id)->frames, 16u);
    back.unmap(mapping.number, 5);
    EXPECT_EQ(back.page(5), nullptr) << "as on Xen, what was there does not come back";
    hv.destroy_domain(back.id).value();
    EXPECT_FALSE(hv.info(back.id)) << "nothing of it is left";
}

TEST_F(Grants, APeerCantOverflowTheCountOfAnEntry) {
    front.grant(8, back.id, 3);
    std::vector<Numbered> mappings;
    for (;;) {
        const auto m = back.map(front.id, 8, kWindow + mappings.size());
        if (m.rc != GNTST_okay) break;
        mappings.push_back(m);
    }
    EXPECT_EQ(mappings.size(), 128u);
    for (std::size_t i = 0; i < mappings.size(); ++i) back.unmap(mappings[i].number, kWindow + i);
}

TEST_F(Grants, ABatchAnswersEachEntryAndGoesOnAfterAFailure) {
    front.grant(8, back.id, 3);
    gnttab_map_grant_ref_t ops[3]{};
    for (unsigned i = 0; i < 3; ++i)
        ops[i] = {.host_addr = (kWindow + i) * kPageSize, .flags = GNTMAP_host_map, .ref = 8, .dom = front.id.value};
    ops[0].ref = 9;
    ops[2].dom = 77;
    EXPECT_EQ(back.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, ops, 3), 0);
    EXPECT_EQ(ops[0].status, GNTST_general_error);
    EXPECT_EQ(ops[1].status, GNTST_okay);
    EXPECT_EQ(ops[2].status, GNTST_bad_domain);
    EXPECT_EQ(back.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, 0, 1), error(Errno::fault));
    EXPECT_EQ(back.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, 0, 0), 0);
    back.unmap(ops[1].handle, kWindow + 1);
}

TEST_F(Grants, TheUnmapOfNothingChangesNothing) {
    front.grant(8, back.id, 3);
    const auto mapping = back.map(front.id, 8, kWindow);
    EXPECT_EQ(back.unmap(mapping.number, 0), GNTST_okay) << "neither address: nothing to do";
    EXPECT_EQ(back.unmap(mapping.number, kWindow), GNTST_okay);
}

TEST_F(Grants, ACopyGoesFromGrantToGrantAndLeavesNoTrace) {
    front.write(3, "copy me");
    front.grant(8, back.id, 3);
    back.grant(9, back.id, 4);
    EXPECT_EQ(back.copy(back.copy_op(8, front.id, 9, back.id)), GNTST_okay);
    EXPECT_STREQ(back.text(4), "copy me");
    EXPECT_EQ(front.flags(8), GTF_permit_access);
    EXPECT_EQ(back.flags(9), GTF_permit_access);
}

TEST_F(Grants, ACopyAnswersAsXenDoes) {
    front.grant(8, back.id, 3);
    back.grant(9, back.id, 4);
    back.grant(10, back.id, 5, GTF_permit_access | GTF_readonly);
    const auto good = back.copy_op(8, front.id, 9, back.id);
    const auto with = [&](auto change) {
        auto op = good;
        change(op);
        return back.copy(op);
    };
    EXPECT_EQ(with([](auto& op) { op.source.offset = 4096 - 32; }), GNTST_okay);
    EXPECT_EQ(with([](auto& op) { op.source.offset = 4096 - 31; }), GNTST_bad_copy_arg);
    EXPECT_EQ(with([](auto& op) { op.dest.offset = 4090; }), GNTST_bad_copy_arg);
    EXPECT_EQ(with([](auto& op) { op.len = 0; }), GNTST_okay);
    EXPECT_EQ(with([](auto& op) { op.source.domid = 77; }), GNTST_bad_domain);
    EXPECT_EQ(with([](auto& op) { op.dest.domid = 77; }), GNTST_bad_domain);
    EXPECT_EQ(with([](auto& op) { op.source.u.ref = 11; }), GNTST_general_error);
    EXPECT_EQ(with([](auto& op) { op.source.u.ref = 1'000'000; }), GNTST_bad_gntref);
    EXPECT_EQ(with([](auto& op) { op.dest.u.ref = 10; }), GNTST_general_error);
    EXPECT_EQ(with([](auto& op) { op.source.u.ref = 10, op.source.domid = DOMID_SELF; }), GNTST_okay);
    EXPECT_EQ(with([](auto& op) { op.flags = GNTCOPY_dest_gref; }), GNTST_permission_denied) << "a frame of another's";
    EXPECT_EQ(with([](auto& op) {
                  op.flags = GNTCOPY_dest_gref;
                  op.source.domid = DOMID_SELF;
                  op.source.u.gmfn = 0x1234;
              }),
              GNTST_bad_page);
}

TEST_F(Grants, AnOwnFrameCanBeEitherSideOfACopy) {
    front.write(3, "in");
    front.grant(8, back.id, 3);
    auto op = back.copy_op(8, front.id, 0, DomId{DOMID_SELF});
    op.flags = GNTCOPY_source_gref;
    op.dest.u.gmfn = 6;
    EXPECT_EQ(back.copy(op), GNTST_okay);
    EXPECT_STREQ(back.text(6), "in");
}

TEST_F(Grants, WhatAPeerMayWriteIsDirtyAsLongAsItMay) {
    ASSERT_TRUE(hv.enable_log_dirty(front.id));
    front.grant(8, back.id, 3);
    EXPECT_FALSE(hv.dirty(front.id, Gfn{3}));
    const auto mapping = back.map(front.id, 8, kWindow);
    EXPECT_EQ(hv.clean_dirty(front.id), std::vector{Gfn{3}});
    EXPECT_EQ(hv.clean_dirty(front.id), std::vector{Gfn{3}}) << "still mapped, so perhaps written again";
    back.unmap(mapping.number, kWindow);
    EXPECT_EQ(hv.clean_dirty(front.id), std::vector{Gfn{3}});
    EXPECT_TRUE(hv.clean_dirty(front.id).empty());
}

TEST_F(Grants, ACopyMarksItsDestinationDirtyAndNotItsSource) {
    front.grant(8, back.id, 3);
    back.grant(9, back.id, 4);
    ASSERT_TRUE(hv.enable_log_dirty(front.id));
    ASSERT_TRUE(hv.enable_log_dirty(back.id));
    back.copy(back.copy_op(8, front.id, 9, back.id));
    EXPECT_TRUE(hv.clean_dirty(front.id).empty());
    EXPECT_EQ(hv.clean_dirty(back.id), std::vector{Gfn{4}});
}

TEST_F(Grants, TheTableGrowsToItsLimitAndSetupTableNamesItsFrames) {
    xen_pfn_t frames[64];
    gnttab_setup_table_t op{};
    op.dom = DOMID_SELF;
    op.nr_frames = 2;
    op.frame_list.p = frames;
    ASSERT_EQ(front.map_special(XENMAPSPACE_grant_table, 1, Guest::kGrantGfn + 1), 0);
    ASSERT_EQ(front.map_special(XENMAPSPACE_grant_table, 0, Guest::kGrantGfn), 0);
    EXPECT_EQ(front.call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(frames[1], Guest::kGrantGfn + 1);
    op.nr_frames = 65;
    front.call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &op, 1);
    EXPECT_EQ(op.status, GNTST_general_error);
    EXPECT_EQ(front.map_special(XENMAPSPACE_grant_table, 64, Guest::kGrantGfn + 64), error(Errno::inval));
    EXPECT_EQ(front.call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &op, 2), error(Errno::inval));
}

TEST_F(Grants, ABuilderSeedsTheEntriesOfStoreAndConsole) {
    front.write(7, "the store's ring");
    ASSERT_TRUE(hv.seed_grant(front.id, GrantRef{GNTTAB_RESERVED_XENSTORE}, dom0.id, Gfn{7}));
    const auto mapping = dom0.map(front.id, GNTTAB_RESERVED_XENSTORE, kWindow);
    EXPECT_STREQ(dom0.text(kWindow), "the store's ring");
    dom0.unmap(mapping.number, kWindow);
}

}  // namespace
}  // namespace xenrig::test
