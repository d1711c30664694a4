// Grants beyond map and copy: frames that change their owner, mappings for devices, caches, and mappings that are
// replaced by other memory.
#include <gtest/gtest.h>

#include <vector>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

struct Transfer : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {.frames = 256}};
    Guest giver{hv, {.name = "giver", .type = GuestType::pv, .max_frames = 32}};
    Guest taker{hv, {.name = "taker", .type = GuestType::pv, .max_frames = 17}};
    Guest hvm{hv, {.name = "hvm", .type = GuestType::hvm, .max_frames = 32}};

    void TearDown() override { EXPECT_EQ(hv.audit(), ""); }

    gnttab_transfer_t give(std::uint64_t gfn, DomId to, std::uint32_t ref) {
        return {.mfn = hv.lookup(giver.id, Gfn{gfn})->value, .domid = to.value, .ref = ref, .status = 0x55};
    }
    /// The status of each.
    std::vector<int> transfer(Guest& by, std::vector<gnttab_transfer_t> ops) {
        EXPECT_EQ(by.call(__HYPERVISOR_grant_table_op, GNTTABOP_transfer, ops.data(), ops.size()), 0);
        std::vector<int> statuses;
        statuses.reserve(ops.size());
        for (const auto& op : ops) statuses.push_back(op.status);
        return statuses;
    }
    void accept(Guest& by, std::uint32_t ref, std::uint64_t gfn) {
        by.grants()[ref].domid = giver.id.value;
        by.grants()[ref].frame = static_cast<std::uint32_t>(gfn);
        by.grants()[ref].flags = GTF_accept_transfer;
    }
    std::uint64_t frames(const Guest& who) { return hv.info(who.id)->frames; }
};

constexpr std::uint16_t kDone = GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed;

TEST_F(Transfer, AFrameMovesWithWhatIsInItAndTheEntrySaysSo) {
    giver.write(5, "a packet");
    const auto op = give(5, taker.id, 8);
    accept(taker, 8, 40);
    EXPECT_EQ(transfer(giver, {op}), std::vector{GNTST_okay});
    EXPECT_EQ(taker.flags(8), kDone);
    EXPECT_EQ(taker.grants()[8].frame, op.mfn) << "a PV guest reads the machine frame";
    EXPECT_STREQ(taker.text(40), "a packet");
    EXPECT_EQ(giver.page(5), nullptr);
    EXPECT_EQ(hv.memory().owner(Mfn{op.mfn}), taker.id);
    EXPECT_EQ(frames(giver), 15u);
    EXPECT_EQ(frames(taker), 17u);
}

TEST_F(Transfer, ATranslatedGuestGetsTheFrameWhereItSaid) {
    giver.write(5, "a packet");
    accept(hvm, 8, 40);
    EXPECT_EQ(transfer(giver, {give(5, hvm.id, 8)}), std::vector{GNTST_okay});
    EXPECT_EQ(hvm.grants()[8].frame, 40u);
    EXPECT_STREQ(hvm.text(40), "a packet");
    gnttab_transfer_t back{.mfn = 40, .domid = giver.id.value, .ref = 8, .status = 0};
    EXPECT_EQ(hvm.call(__HYPERVISOR_grant_table_op, GNTTABOP_transfer, &back, 1), error(Errno::nosys))
        << "but can't give one away";
}

TEST_F(Transfer, EachSlotIsAnsweredAndWhoGivesToNobodyLosesTheFrame) {
    accept(taker, 8, 40);
    accept(taker, 9, 41);
    const auto used = give(3, taker.id, 8);
    giver.grant(10, taker.id, 6);
    const auto mapping = taker.map(giver.id, 10, 0x1000);
    EXPECT_EQ(transfer(giver, {give(6, taker.id, 8), give(2, DomId{77}, 8), give(4, taker.id, 300), used,
                               give(7, taker.id, 9), give(8, taker.id, 8)}),
              (std::vector{GNTST_bad_page, GNTST_bad_domain, GNTST_general_error, GNTST_okay, GNTST_general_error,
                           GNTST_general_error}));
    EXPECT_NE(giver.page(6), nullptr) << "a peer maps it, so that it stayed";
    for (const std::uint64_t gfn : {2, 4, 3, 7, 8}) EXPECT_EQ(giver.page(gfn), nullptr) << gfn;
    EXPECT_EQ(frames(giver), 11u);
    EXPECT_EQ(taker.flags(9), GTF_accept_transfer) << "17 frames is all that it may have, and it was not even locked";
    taker.unmap(mapping.number, 0x1000);
}

TEST_F(Transfer, AnEntryForAnotherOrForAccessTakesNothing) {
    accept(taker, 8, 40);
    taker.grants()[8].domid = 99;
    taker.grant(9, giver.id, 3);
    EXPECT_EQ(transfer(giver, {give(3, taker.id, 8)}), std::vector{GNTST_general_error});
    EXPECT_EQ(transfer(giver, {give(4, taker.id, 9)}), std::vector{GNTST_general_error});
    EXPECT_EQ(taker.flags(8), GTF_accept_transfer);
    gnttab_transfer_t made_up{.mfn = 0x7777777, .domid = taker.id.value, .ref = 8, .status = 0};
    EXPECT_EQ(transfer(giver, {made_up}), std::vector{GNTST_bad_page});
}

TEST_F(Transfer, AMappingForADeviceIsHeldByTheHandleUntilBothPartsAreGone) {
    taker.grant(8, giver.id, 3);
    const auto both = giver.map(taker.id, 8, 0x1000, GNTMAP_host_map | GNTMAP_device_map);
    ASSERT_EQ(both.rc, GNTST_okay);
    EXPECT_EQ(giver.unmap(both.number, 0x1000), GNTST_okay);
    EXPECT_EQ(taker.flags(8), GTF_permit_access | GTF_reading | GTF_writing) << "the device may write yet";
    gnttab_unmap_grant_ref_t op{};
    op.handle = both.number;
    op.dev_bus_addr = (hv.lookup(taker.id, Gfn{3})->value + 1) * kPageSize;
    giver.call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1);
    EXPECT_EQ(op.status, GNTST_bad_dev_addr);
    op.dev_bus_addr -= kPageSize;
    giver.call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(taker.flags(8), GTF_permit_access);
    EXPECT_EQ(giver.unmap(both.number, 0x1000), GNTST_bad_handle);
    EXPECT_EQ(hvm.map(taker.id, 8, 0x1000, GNTMAP_device_map).rc, GNTST_general_error) << "for PV guests only";
}

TEST_F(Transfer, AReadOnlyMappingForADeviceAloneLeavesTheAddressSpaceAsItWas) {
    taker.grant(8, giver.id, 3, GTF_permit_access | GTF_readonly);
    const auto mapping = giver.map(taker.id, 8, 0x1000, GNTMAP_device_map | GNTMAP_readonly);
    EXPECT_EQ(mapping.rc, GNTST_okay);
    EXPECT_EQ(giver.page(0x1000), nullptr);
    EXPECT_EQ(taker.flags(8), GTF_permit_access | GTF_readonly | GTF_reading);
    ASSERT_TRUE(hv.destroy_domain(giver.id).has_value());
    EXPECT_EQ(taker.flags(8), GTF_permit_access | GTF_readonly) << "its end ends it";
}

TEST_F(Transfer, UnmapAndReplaceMovesOtherMemoryToWhereTheMappingWas) {
    giver.write(5, "mine");
    taker.grant(8, giver.id, 3);
    const auto mapping = giver.map(taker.id, 8, 0x1000);
    gnttab_unmap_and_replace_t op{};
    op.host_addr = 0x1001 * kPageSize;
    op.new_addr = 4 * kPageSize;
    op.handle = mapping.number;
    const auto replace = [&] {
        EXPECT_EQ(giver.call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_and_replace, &op, 1), 0);
        return op.status;
    };
    EXPECT_EQ(replace(), GNTST_general_error);
    EXPECT_EQ(giver.page(4), nullptr) << "it had left its place when that was found to be wrong";
    op.host_addr = 0x1000 * kPageSize;
    op.new_addr = 5 * kPageSize;
    EXPECT_EQ(replace(), GNTST_okay);
    EXPECT_STREQ(giver.text(0x1000), "mine");
    EXPECT_EQ(giver.page(5), nullptr);
    EXPECT_EQ(frames(giver), 16u);
    EXPECT_EQ(taker.flags(8), GTF_permit_access);
}

TEST_F(Transfer, ACacheIsFlushedForFramesThatTheCallerHasOrMaps) {
    gnttab_cache_flush_t op{};
    const auto flush = [&](Guest& by, std::uint64_t gfn_of_taker, std::uint32_t what) {
        op.a.dev_bus_addr = hv.lookup(taker.id, Gfn{gfn_of_taker})->value * kPageSize;
        op.length = 64;
        op.op = what;
        return by.call(__HYPERVISOR_grant_table_op, GNTTABOP_cache_flush, &op, 1);
    };
    EXPECT_EQ(flush(taker, 3, GNTTAB_CACHE_CLEAN), 0);
    EXPECT_EQ(flush(taker, 3, GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL), 0);
    EXPECT_EQ(flush(taker, 3, GNTTAB_CACHE_INVAL), error(Errno::opnotsupp)) << "x86 can't";
    EXPECT_EQ(flush(giver, 3, GNTTAB_CACHE_CLEAN), error(Errno::inval));
    taker.grant(8, giver.id, 3);
    const auto mapping = giver.map(taker.id, 8, 0x1000);
    EXPECT_EQ(flush(giver, 3, GNTTAB_CACHE_CLEAN), 0);
    EXPECT_EQ(flush(giver, 3, GNTTAB_CACHE_SOURCE_GREF), error(Errno::inval));
    giver.unmap(mapping.number, 0x1000);
}

TEST_F(Transfer, AListThatCantBeReadIsAFaultUnlessNothingIsReadOfIt) {
    EXPECT_EQ(giver.call(__HYPERVISOR_grant_table_op, GNTTABOP_transfer, 0x1000, 1), error(Errno::fault));
    EXPECT_EQ(frames(giver), 16u);
    EXPECT_EQ(giver.call(__HYPERVISOR_grant_table_op, GNTTABOP_transfer, 0x1000, 0), 0);
}

TEST_F(Transfer, ADomainHasSoManyGrantFramesAndHandlesAndNoMore) {
    Guest small(hv, {.name = "small", .type = GuestType::pv, .max_grant_frames = 2, .max_maptrack_frames = 1}, 4);
    gnttab_setup_table_t setup{};
    xen_pfn_t list[3];
    setup.dom = DOMID_SELF;
    setup.frame_list.p = list;
    setup.nr_frames = 3;
    small.call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1);
    EXPECT_EQ(setup.status, GNTST_general_error);
    setup.nr_frames = 2;
    small.call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup, 1);
    EXPECT_EQ(setup.status, GNTST_okay);
    // A page of 256 handles, of which one stays on the list; an entry counts to 128 by twos.
    for (const std::uint32_t ref : {8, 9, 10}) taker.grant(ref, small.id, 3);
    std::vector<std::uint32_t> handles;
    Numbered last;
    for (std::uint32_t i = 0; i < 300; ++i) {
        last = small.map(taker.id, 8 + i / 100, 0x1000 + i);
        if (last.rc != GNTST_okay) break;
        handles.push_back(last.number);
    }
    EXPECT_EQ(last.rc, GNTST_no_space);
    EXPECT_EQ(handles.size(), 255u);
    for (std::size_t i = 0; i < handles.size(); ++i) EXPECT_EQ(small.unmap(handles[i], 0x1000 + i), GNTST_okay);
}

}  // namespace
}  // namespace xenrig::test
