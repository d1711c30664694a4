// Version 2 of the grant table: status words in pages of their own, parts of pages, and grants of grants.
#include <gtest/gtest.h>

#include "fake_machine.h"
#include "guest.h"

namespace xenrig::test {
namespace {

constexpr std::uint64_t kWindow = 0x4'0000, kStatusGfn = 0x8'1000;

struct GrantsV2 : testing::Test {
    FakeMachine machine;
    Hypervisor hv{machine, {}};
    Guest dom0{hv, {.name = "dom0", .privileged = true}};
    Guest front{hv, {.name = "front"}};
    Guest back{hv, {.name = "back"}};

    void SetUp() override {
        entries(front);
        entries(back);
    }
    void TearDown() override {
        EXPECT_EQ(hv.audit(), "");
        for (const DomId dom : hv.domains()) hv.destroy_domain(dom).value();
        EXPECT_EQ(hv.memory().frames_allocated(), 0u);
    }

    /// (answer, version that the table has)
    Numbered set_version(Guest& g, unsigned version) {
        gnttab_set_version_t op{.version = version};
        const Answer rc = g.call(__HYPERVISOR_grant_table_op, GNTTABOP_set_version, &op, 1);
        return {rc, op.version};
    }
    grant_entry_v2_t* entries(Guest& g) { return reinterpret_cast<grant_entry_v2_t*>(g.grants()); }
    void use_version_2(Guest& g) {
        ASSERT_EQ(set_version(g, 2).rc, 0);
        ASSERT_EQ(g.map_special(XENMAPSPACE_grant_table, XENMAPIDX_grant_table_status, kStatusGfn), 0);
    }
    grant_status_t status(Guest& g, std::uint32_t ref) {
        return reinterpret_cast<grant_status_t*>(g.page(kStatusGfn))[ref];
    }
    void grant(Guest& g, std::uint32_t ref, DomId to, std::uint64_t gfn, unsigned flags = GTF_permit_access) {
        auto& entry = entries(g)[ref];
        entry.full_page.frame = gfn;
        entry.hdr.domid = to.value;
        entry.hdr.flags = static_cast<std::uint16_t>(flags);
    }
    void grant_part(Guest& g, std::uint32_t ref, DomId to, std::uint64_t gfn, unsigned offset, unsigned length) {
        grant(g, ref, to, gfn, GTF_permit_access | GTF_sub_page);
        entries(g)[ref].sub_page.page_off = static_cast<std::uint16_t>(offset);
        entries(g)[ref].sub_page.length = static_cast<std::uint16_t>(length);
    }
    void pass_on(Guest& g, std::uint32_t ref, DomId to, DomId owner, std::uint32_t behind) {
        auto& entry = entries(g)[ref];
        entry.transitive.trans_domid = owner.value;
        entry.transitive.gref = behind;
        entry.hdr.domid = to.value;
        entry.hdr.flags = GTF_transitive;
    }
};

TEST_F(GrantsV2, AMappingShowsInTheStatusWordAndNotInTheEntry) {
    use_version_2(front);
    grant(front, 8, back.id, 3);
    front.write(3, "version 2");
    const auto mapping = back.map(front.id, 8, kWindow);
    ASSERT_EQ(mapping.rc, GNTST_okay);
    EXPECT_STREQ(back.text(kWindow), "version 2");
    EXPECT_EQ(entries(front)[8].hdr.flags, GTF_permit_access);
    EXPECT_EQ(status(front, 8), GTF_reading | GTF_writing);
    back.unmap(mapping.number, kWindow);
    EXPECT_EQ(status(front, 8), 0);
}

TEST_F(GrantsV2, AFrameHas256Entries) {
    use_version_2(front);
    EXPECT_EQ(back.map(front.id, 255, kWindow).rc, GNTST_general_error);
    EXPECT_EQ(back.map(front.id, 256, kWindow).rc, GNTST_bad_gntref);
}

TEST_F(GrantsV2, APartOfAPageCanBeCopiedAndNotMapped) {
    use_version_2(front);
    front.write(3, "hidden..in the part");
    grant_part(front, 8, back.id, 3, 8, 64);
    back.grant(9, back.id, 4);
    EXPECT_EQ(back.map(front.id, 8, kWindow).rc, GNTST_general_error);
    auto op = back.copy_op(8, front.id, 9, back.id);
    op.source.offset = 8;
    EXPECT_EQ(back.copy(op), GNTST_okay);
    EXPECT_STREQ(back.text(4), "in the part");
    op.source.offset = 7;
    EXPECT_EQ(back.copy(op), GNTST_general_error);
    op.source.offset = 41;
    EXPECT_EQ(back.copy(op), GNTST_general_error) << "32 bytes would end behind the part";
    EXPECT_EQ(status(front, 8), 0);
}

TEST_F(GrantsV2, AGrantCanBePassedOnOnce) {
    use_version_2(front);
    front.write(3, "passed on");
    grant(front, 8, dom0.id, 3);
    entries(dom0);
    ASSERT_EQ(set_version(dom0, 2).rc, 0);
    pass_on(dom0, 20, back.id, front.id, 8);
    back.grant(9, back.id, 4);
    EXPECT_EQ(back.copy(back.copy_op(20, dom0.id, 9, back.id)), GNTST_okay);
    EXPECT_STREQ(back.text(4), "passed on");
    EXPECT_EQ(status(front, 8), 0);

    pass_on(dom0, 21, back.id, dom0.id, 20);
    EXPECT_EQ(back.copy(back.copy_op(21, dom0.id, 9, back.id)), GNTST_general_error) << "of its own";
    pass_on(dom0, 22, back.id, DomId{77}, 8);
    EXPECT_EQ(back.copy(back.copy_op(22, dom0.id, 9, back.id)), GNTST_general_error) << "of nobody's";
    pass_on(front, 23, dom0.id, front.id, 8);
    pass_on(dom0, 24, back.id, front.id, 23);
    EXPECT_EQ(back.copy(back.copy_op(24, dom0.id, 9, back.id)), GNTST_general_error) << "twice";
}

TEST_F(GrantsV2, AWriteThroughAPassedOnGrantIsDirtyWhereItLands) {
    use_version_2(front);
    grant(front, 8, dom0.id, 3);
    entries(dom0);
    ASSERT_EQ(set_version(dom0, 2).rc, 0);
    pass_on(dom0, 20, back.id, front.id, 8);
    back.grant(9, back.id, 4);
    ASSERT_TRUE(hv.enable_log_dirty(front.id));
    EXPECT_EQ(back.copy(back.copy_op(9, back.id, 20, dom0.id)), GNTST_okay);
    EXPECT_EQ(hv.clean_dirty(front.id), std::vector{Gfn{3}});
}

TEST_F(GrantsV2, TheVersionChangesOnlyWhileNothingIsInUse) {
    front.grant(8, back.id, 3);
    const auto mapping = back.map(front.id, 8, kWindow);
    EXPECT_EQ(set_version(front, 2).rc, error(Errno::busy));
    back.unmap(mapping.number, kWindow);
    const auto bad = set_version(front, 3);
    EXPECT_EQ(bad.rc, error(Errno::inval));
    EXPECT_EQ(bad.number, 1u);
    EXPECT_EQ(set_version(front, 2).number, 2u);
}

TEST_F(GrantsV2, TheReservedEntriesSurviveAChangeInUse) {
    front.write(3, "the store's ring");
    front.grant(GNTTAB_RESERVED_XENSTORE, dom0.id, 3);
    front.grant(8, dom0.id, 3);
    const auto mapping = dom0.map(front.id, GNTTAB_RESERVED_XENSTORE, kWindow);
    use_version_2(front);
    EXPECT_EQ(entries(front)[GNTTAB_RESERVED_XENSTORE].hdr.flags, GTF_permit_access);
    EXPECT_EQ(entries(front)[GNTTAB_RESERVED_XENSTORE].full_page.frame, 3u);
    EXPECT_EQ(status(front, GNTTAB_RESERVED_XENSTORE), GTF_reading | GTF_writing);
    EXPECT_EQ(entries(front)[8].hdr.flags, 0) << "the others do not";
    dom0.unmap(mapping.number, kWindow);
    EXPECT_EQ(status(front, GNTTAB_RESERVED_XENSTORE), 0);
    grant(front, 0, dom0.id, 1ull << 33);
    EXPECT_EQ(set_version(front, 1).rc, error(Errno::range)) << "version 1 can't name that frame";
    grant(front, 0, dom0.id, 5);
    EXPECT_EQ(set_version(front, 1).rc, 0);
    EXPECT_EQ(front.grants()[0].frame, 5u);
    EXPECT_EQ(front.page(kStatusGfn), nullptr);
}

TEST_F(GrantsV2, StatusFramesAreThereInVersion2Alone) {
    std::uint64_t frames[2]{};
    gnttab_get_status_frames_t op{};
    op.nr_frames = 1;
    op.dom = DOMID_SELF;
    op.frame_list.p = frames;
    EXPECT_EQ(front.call(__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, &op, 1), error(Errno::nosys))
        << "a translated guest maps them";
    Guest pv(hv, {.name = "pv", .type = GuestType::pv});
    EXPECT_EQ(pv.call(__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, &op, 1), 0);
    EXPECT_EQ(op.status, GNTST_general_error);
    ASSERT_EQ(set_version(pv, 2).rc, 0);
    pv.call(__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, &op, 1);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(hv.memory().owner(Mfn{frames[0]}), pv.id);
}

TEST_F(GrantsV2, TwoEntriesAreSwappedUnlessOneIsInUse) {
    front.write(3, "three");
    front.grant(8, back.id, 3);
    const auto swap = [&](std::uint32_t a, std::uint32_t b) {
        gnttab_swap_grant_ref_t op{.ref_a = a, .ref_b = b, .status = 0x55};
        EXPECT_EQ(front.call(__HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, &op, 1), 0);
        return op.status;
    };
    EXPECT_EQ(swap(8, 9), GNTST_okay);
    EXPECT_EQ(back.map(front.id, 8, kWindow).rc, GNTST_general_error);
    const auto mapping = back.map(front.id, 9, kWindow);
    EXPECT_STREQ(back.text(kWindow), "three");
    EXPECT_EQ(swap(8, 9), GNTST_eagain);
    EXPECT_EQ(swap(8, 1'000'000), GNTST_bad_gntref);
    back.unmap(mapping.number, kWindow);
}

}  // namespace
}  // namespace xenrig::test
