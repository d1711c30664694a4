// What a guest can make the hypervisor keep for it has a limit; and what it may not write, answers do not reach.
#include <gtest/gtest.h>

#include <cstring>

#include "fake_machine.h"
#include "guest.h"
#include "sim/hypervisor/guest_access.h"

namespace xenrig::test {
namespace {

/// PVH and PV guests of one vCPU, and a neighbour that has granted each its gfn 1 (reference 8, 9) to read.
struct Neighbours {
    FakeMachine machine;
    Hypervisor xen{machine, HostConfig{.frames = 256, .verbose_debug = true}};
    Guest pvh{xen, {.name = "pvh"}};
    Guest pv{xen, {.name = "pv", .type = GuestType::pv}};
    Guest owner{xen, {.name = "owner"}};

    Neighbours() {
        owner.write(1, "the owner's");
        EXPECT_TRUE(xen.seed_grant(owner.id, GrantRef{8}, pvh.id, Gfn{1}).has_value());
        EXPECT_TRUE(xen.seed_grant(owner.id, GrantRef{9}, pv.id, Gfn{1}).has_value());
    }
    /// The status of a map at this gfn, and the handle.
    Numbered map(Guest& by, std::uint64_t gfn, std::uint32_t ref, std::uint32_t flags) {
        gnttab_map_grant_ref_t op{};
        op.host_addr = gfn * kPageSize;
        op.flags = flags;
        op.ref = ref;
        op.dom = owner.id.value;
        EXPECT_EQ(by.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, 1), 0);
        return {op.status, op.handle};
    }
};

TEST(Bounds, MappingsHereAndThereEndWithTheDomainsPagingMemory) {
    Neighbours n;
    constexpr std::uint64_t kApart = 512;  // one node of the map serves as many gfns
    std::uint64_t well = 0;
    for (Answer status = GNTST_okay; well < 1000;) {
        const Numbered mapped = n.map(n.pvh, (well + 1) * kApart, 8, GNTMAP_host_map | GNTMAP_readonly);
        status = mapped.rc;
        if (status != GNTST_okay) {
            EXPECT_EQ(status, GNTST_general_error);
            break;
        }
        gnttab_unmap_grant_ref_t op{};
        op.host_addr = (well + 1) * kApart * kPageSize;
        op.handle = mapped.number;
        n.pvh.call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1);
        ASSERT_EQ(op.status, GNTST_okay);
        ++well;
    }
    // 1 MiB of pages a vCPU and two for its own memory's: the roots on the way cost a few.
    EXPECT_GT(well, 200u);
    EXPECT_LE(well, 264u);
    EXPECT_EQ(n.map(n.pvh, kApart, 8, GNTMAP_host_map | GNTMAP_readonly).rc, GNTST_okay)
        << "where there was one before";
    EXPECT_EQ(n.xen.audit(), "");
}

TEST(Bounds, ADomainWhoseSharedPageIsMappedStaysListedUntilItIsLetGo) {
    Neighbours n;
    // Its grant table grants the page that the table itself lies in.
    xen_add_to_physmap_t at{.domid = DOMID_SELF, .size = 0, .space = XENMAPSPACE_grant_table, .idx = 0, .gpfn = 70};
    ASSERT_EQ(n.owner.call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &at), 0);
    ASSERT_TRUE(n.xen.seed_grant(n.owner.id, GrantRef{10}, n.pvh.id, Gfn{70}).has_value());
    const Numbered mapped = n.map(n.pvh, 40, 10, GNTMAP_host_map | GNTMAP_readonly);
    ASSERT_EQ(mapped.rc, GNTST_okay);
    ASSERT_TRUE(n.xen.destroy_domain(n.owner.id).has_value());
    EXPECT_TRUE(n.xen.info(n.owner.id).has_value()) << "a peer still sees a page of it";
    EXPECT_EQ(n.xen.audit(), "");
    gnttab_unmap_grant_ref_t op{};
    op.host_addr = 40 * kPageSize;
    op.handle = mapped.number;
    n.pvh.call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1);
    EXPECT_EQ(op.status, GNTST_okay);
    EXPECT_FALSE(n.xen.info(n.owner.id).has_value());
    EXPECT_EQ(n.xen.audit(), "");
}

TEST(Bounds, OfWhatADomainSaysTheLastIsKept) {
    Neighbours n;
    std::string text(4096, 'x');
    for (int i = 0; i < 100; ++i) n.pvh.call(__HYPERVISOR_console_io, CONSOLEIO_write, text.size(), text.data());
    text = "the end";
    n.pvh.call(__HYPERVISOR_console_io, CONSOLEIO_write, text.size(), text.data());
    const std::string kept = n.xen.take_console(n.pvh.id);
    EXPECT_GE(kept.size(), 128_KiB);
    EXPECT_LE(kept.size(), 256_KiB);
    EXPECT_TRUE(kept.ends_with("xthe end"));
}

TEST(Bounds, AnswersDoNotReachAReadOnlyMapping) {
    Neighbours n;
    constexpr std::uint64_t kAt = 40;
    ASSERT_EQ(n.map(n.pvh, kAt, 8, GNTMAP_host_map | GNTMAP_readonly).rc, GNTST_okay);
    ASSERT_EQ(n.map(n.pv, kAt, 9, GNTMAP_host_map | GNTMAP_readonly).rc, GNTST_okay);
    const HypercallArgs extraversion{XENVER_extraversion, kAt * kPageSize};
    // A translated guest's write is dropped, and a PV guest's page-table entry does not let it through.
    const auto pvh = n.xen.linear_access(n.pvh.id, VcpuId{0});
    EXPECT_EQ(n.xen.hypercall(n.pvh.id, VcpuId{0}, *pvh, __HYPERVISOR_xen_version, extraversion), 0);
    const auto pv = n.xen.linear_access(n.pv.id, VcpuId{0});
    EXPECT_EQ(n.xen.hypercall(n.pv.id, VcpuId{0}, *pv, __HYPERVISOR_xen_version, extraversion), error(Errno::fault));
    EXPECT_STREQ(n.owner.text(1), "the owner's");
    // Its own memory takes them, across pages too.
    const HypercallArgs own{XENVER_extraversion, 2 * kPageSize - 2};
    EXPECT_EQ(n.xen.hypercall(n.pv.id, VcpuId{0}, *pv, __HYPERVISOR_xen_version, own), 0);
    EXPECT_STREQ(n.pv.text(1) + kPageSize - 2, ".5");
}

}  // namespace
}  // namespace xenrig::test
