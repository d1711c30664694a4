// Page tables of PV guests: what becomes a table, what may be mapped, and what a linear address reaches then.
#include <gtest/gtest.h>

#include <cstring>

#include "fake_machine.h"
#include "pv_kernel.h"

namespace xenrig::test {
namespace {

struct Host {
    FakeMachine machine;
    Hypervisor xen{machine, HostConfig{.frames = 256}};
    Kernel kernel{xen, "kernel"};
};

TEST(PageTables, AreLookedThroughWhenTheyAreLoadedAndReadOnlyFromThenOn) {
    Host h;
    Kernel& k = h.kernel;
    EXPECT_TRUE(k.reaches(0x1'0000 - 8, false)) << "without tables an address is its gfn";
    ASSERT_EQ(k.load(), 0);
    EXPECT_TRUE(k.reaches(8 << 12, true));
    EXPECT_TRUE(k.reaches(1 << 12, false));
    EXPECT_FALSE(k.reaches(1 << 12, true)) << "its L1";
    EXPECT_FALSE(k.reaches(16 << 12, false)) << "not mapped";
    EXPECT_FALSE(k.reaches(0xffff'8000'0000'0000, false)) << "Xen's own part";
    EXPECT_EQ(h.xen.audit(), "");
}

TEST(PageTables, WithAWritableMappingOfATableAreRefused) {
    Host h;
    Kernel& k = h.kernel;
    k.put(1, 2, k.frame(2), kBoth);
    EXPECT_EQ(k.load(), error(Errno::busy)) << "an entry makes the L2 writable";
    k.put(1, 2, k.frame(2), kRead);
    EXPECT_EQ(k.load(), 0);
    EXPECT_EQ(k.map_linear(9, k.frame(1), kBoth), error(Errno::busy));
    EXPECT_EQ(k.map_linear(9, k.frame(1), kRead), 0);
    EXPECT_EQ(h.xen.audit(), "");
}

TEST(PageTables, TakeNoOtherDomainsFrames) {
    Host h;
    Guest other(h.xen, {.name = "other"});
    Kernel& k = h.kernel;
    const std::uint64_t theirs = h.xen.lookup(other.id, Gfn{1})->value;
    k.put(1, 20, theirs, kRead);
    EXPECT_EQ(k.mmuext(MMUEXT_PIN_L1_TABLE, k.frame(1)), error(Errno::busy));
    k.put(1, 20, 0, 0);
    ASSERT_EQ(k.load(), 0);
    EXPECT_EQ(k.map_linear(20, theirs, kRead), error(Errno::busy));
    EXPECT_EQ(k.update(2, 1, theirs, kBoth), error(Errno::inval));
    EXPECT_EQ(k.mmuext(MMUEXT_PIN_L1_TABLE, theirs), error(Errno::inval));
    EXPECT_EQ(h.xen.audit(), "");
}

TEST(PageTables, EntriesWithBitsThatAreNotTheGuestsAreRefused) {
    Host h;
    Kernel& k = h.kernel;
    ASSERT_EQ(k.load(), 0);
    constexpr std::uint64_t kLargePage = 1 << 7, kUncached = 1 << 4;
    EXPECT_EQ(k.update(2, 1, k.frame(10), kBoth | kLargePage), error(Errno::inval));
    EXPECT_EQ(k.map_linear(12, k.frame(10), kBoth | kUncached), error(Errno::inval));
    EXPECT_EQ(k.update(4, 256, k.frame(10), kBoth), error(Errno::inval)) << "Xen's own slot";
}

TEST(PageTables, ChangeEntryByEntry) {
    Host h;
    Kernel& k = h.kernel;
    ASSERT_EQ(k.load(), 0);
    EXPECT_EQ(k.update(1, 30, k.frame(11), kPresent | kWrite), 0);
    EXPECT_TRUE(k.reaches(30 << 12, true));
    constexpr std::uint64_t kGuestKernelBit = 1ull << 52;
    EXPECT_EQ(k.entry(1, 30), k.frame(11) << 12 | kBoth | kGuestKernelBit) << "the guest's kernel is not in ring 0";
    EXPECT_EQ(k.update(1, 30, k.frame(11), kRead), 0);
    EXPECT_FALSE(k.reaches(30 << 12, true));
    // Now that nobody writes it, the page can become a table, and is one as long as it is in use.
    std::memset(k.guest.page(11), 0, kPageSize);
    EXPECT_EQ(k.update(1, 11, 0, 0), 0);
    EXPECT_EQ(k.update(2, 1, k.frame(11), kBoth), 0);
    EXPECT_EQ(k.map_linear(31, k.frame(11), kBoth), error(Errno::busy));
    EXPECT_EQ(k.update(2, 1, 0, 0), 0);
    EXPECT_EQ(k.map_linear(31, k.frame(11), kBoth), 0);
    EXPECT_EQ(h.xen.audit(), "");
}

TEST(PageTables, KeepWhatTheProcessorNotedWhenAsked) {
    Host h;
    Kernel& k = h.kernel;
    ASSERT_EQ(k.load(), 0);
    constexpr std::uint64_t kAccessedDirty = 0x60;
    EXPECT_EQ(k.update(1, 30, k.frame(11), kBoth | kAccessedDirty), 0);
    EXPECT_EQ(k.update(1, 30, k.frame(12), kBoth, MMU_PT_UPDATE_PRESERVE_AD), 0);
    EXPECT_EQ(k.entry(1, 30) & kAccessedDirty, kAccessedDirty);
    EXPECT_EQ(k.update(1, 30, k.frame(12), kBoth), 0);
    EXPECT_EQ(k.entry(1, 30) & kAccessedDirty, 0u);
}

TEST(PageTables, ArePinnedOnceAndUnpinnedOnce) {
    Host h;
    Kernel& k = h.kernel;
    EXPECT_EQ(k.mmuext(MMUEXT_PIN_L4_TABLE, k.frame(4)), 0);
    EXPECT_EQ(k.mmuext(MMUEXT_PIN_L4_TABLE, k.frame(4)), error(Errno::inval));
    EXPECT_EQ(k.mmuext(MMUEXT_PIN_L3_TABLE, k.frame(4)), error(Errno::inval));
    EXPECT_EQ(k.mmuext(MMUEXT_CLEAR_PAGE, k.frame(3)), error(Errno::inval)) << "a table";
    EXPECT_EQ(k.mmuext(MMUEXT_UNPIN_TABLE, k.frame(4)), 0);
    EXPECT_EQ(k.mmuext(MMUEXT_UNPIN_TABLE, k.frame(4)), error(Errno::inval));
    EXPECT_EQ(k.mmuext(MMUEXT_COPY_PAGE, k.frame(3), k.frame(8)), 0) << "a page like any other";
    EXPECT_EQ(h.xen.audit(), "");
}

TEST(PageTables, OfPaeHaveThreeLevels) {
    FakeMachine machine;
    Hypervisor xen(machine, HostConfig{.frames = 256});
    Kernel k(xen, "pae", 32);
    EXPECT_EQ(k.mmuext(MMUEXT_PIN_L4_TABLE, k.frame(3)), error(Errno::inval));
    ASSERT_EQ(k.load(), 0);
    EXPECT_TRUE(k.reaches(8 << 12, true));
    EXPECT_FALSE(k.reaches(1 << 12, true));
    EXPECT_FALSE(k.reaches(1ull << 32, false));
    EXPECT_EQ(k.entry(1, 8), k.frame(8) << 12 | kBoth) << "its kernel has a ring of its own";
    EXPECT_EQ(xen.audit(), "");
}

TEST(PageTables, HoldTheGrantsThatAreMappedThroughThem) {
    Host h;
    Guest owner(h.xen, {.name = "owner"});
    owner.write(1, "shared");
    Kernel& k = h.kernel;
    ASSERT_TRUE(h.xen.seed_grant(owner.id, GrantRef{8}, k.guest.id, Gfn{1}).has_value());
    ASSERT_EQ(k.load(), 0);
    const auto map = [&](std::uint64_t at, std::uint32_t flags) {
        gnttab_map_grant_ref_t op{};
        op.host_addr = at;
        op.flags = flags;
        op.ref = 8;
        op.dom = owner.id.value;
        k.guest.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, 1);
        return Numbered{op.status, op.handle};
    };
    EXPECT_EQ(map(600 << 12, GNTMAP_host_map).rc, GNTST_general_error) << "no L1 there";
    const Numbered window = map(40 << 12, GNTMAP_host_map);
    ASSERT_EQ(window.rc, GNTST_okay);
    const auto memory = h.xen.linear_access(k.guest.id, VcpuId{0});
    std::array<char, 7> text{};
    ASSERT_TRUE(memory->fetch(text, 40 << 12));
    EXPECT_STREQ(text.data(), "shared");
    // By the entry's own address, read-only.
    const std::uint64_t entry_41 = k.frame(1) << 12 | 41 * 8;
    EXPECT_EQ(map(entry_41 + 4, GNTMAP_host_map | GNTMAP_contains_pte).rc, GNTST_general_error) << "crooked";
    const Numbered by_entry = map(entry_41, GNTMAP_host_map | GNTMAP_contains_pte | GNTMAP_readonly);
    ASSERT_EQ(by_entry.rc, GNTST_okay);
    EXPECT_TRUE(k.reaches(41 << 12, false));
    EXPECT_FALSE(k.reaches(41 << 12, true));
    EXPECT_EQ(k.map_linear(42, h.xen.lookup(owner.id, Gfn{1})->value, kRead), error(Errno::busy))
        << "a grant is mapped by its reference alone";

    const auto unmap = [&](unsigned operation, std::uint64_t at, std::uint64_t second, std::uint32_t handle) {
        gnttab_unmap_grant_ref_t op{};
        op.host_addr = at;
        op.dev_bus_addr = second;
        op.handle = handle;
        k.guest.call(__HYPERVISOR_grant_table_op, operation, &op, 1);
        return op.status;
    };
    EXPECT_EQ(unmap(GNTTABOP_unmap_grant_ref, 42 << 12, 0, window.number), GNTST_general_error) << "nothing is there";
    EXPECT_EQ(unmap(GNTTABOP_unmap_grant_ref, entry_41, 0, by_entry.number), GNTST_okay);
    EXPECT_FALSE(k.reaches(41 << 12, false));
    // A page of its own takes the mapping's place.
    EXPECT_EQ(unmap(GNTTABOP_unmap_and_replace, 40 << 12, 9 << 12, window.number), GNTST_okay);
    EXPECT_EQ(k.entry(1, 40) >> 12 & 0xff'ffff'ffff, k.frame(9));
    EXPECT_EQ(k.entry(1, 9), 0u);
    EXPECT_EQ(h.xen.audit(), "");
}

TEST(PageTables, AFrameThatAPeerMayWriteIsNoTable) {
    Host h;
    Guest peer(h.xen, {.name = "peer"});
    Kernel& k = h.kernel;
    ASSERT_TRUE(h.xen.seed_grant(k.guest.id, GrantRef{8}, peer.id, Gfn{1}).has_value());
    gnttab_map_grant_ref_t op{};
    op.host_addr = 40 << 12;
    op.flags = GNTMAP_host_map;
    op.ref = 8;
    op.dom = k.guest.id.value;
    peer.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, 1);
    ASSERT_EQ(op.status, GNTST_okay);
    EXPECT_EQ(k.load(), error(Errno::inval));
    gnttab_unmap_grant_ref_t back{};
    back.host_addr = op.host_addr;
    back.handle = op.handle;
    peer.call(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref, &back, 1);
    EXPECT_EQ(k.load(), 0);
    op.host_addr = 40 << 12;
    peer.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, 1);
    EXPECT_EQ(op.status, GNTST_general_error) << "the other way round";
    EXPECT_EQ(h.xen.audit(), "");
}

TEST(PageTables, EndWithTheirDomain) {
    Host h;
    Guest owner(h.xen, {.name = "owner"});
    Kernel& k = h.kernel;
    ASSERT_TRUE(h.xen.seed_grant(owner.id, GrantRef{8}, k.guest.id, Gfn{1}).has_value());
    ASSERT_EQ(k.mmuext(MMUEXT_PIN_L4_TABLE, k.frame(4)), 0);
    ASSERT_EQ(k.load(), 0);
    gnttab_map_grant_ref_t op{};
    op.host_addr = 40 << 12;
    op.flags = GNTMAP_host_map;
    op.ref = 8;
    op.dom = owner.id.value;
    k.guest.call(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &op, 1);
    ASSERT_EQ(op.status, GNTST_okay);
    std::uint64_t gdt = k.frame(12);
    EXPECT_EQ(k.update(1, 12, 0, 0), 0);
    EXPECT_EQ(k.guest.call(__HYPERVISOR_set_gdt, &gdt, 512), 0);
    EXPECT_EQ(k.map_linear(12, gdt, kBoth), error(Errno::busy)) << "descriptors";
    const std::uint64_t before = h.xen.memory().frames_allocated();
    EXPECT_TRUE(h.xen.destroy_domain(k.guest.id).has_value());
    EXPECT_EQ(h.xen.memory().frames_allocated(), before - 16 - 2) << "memory, shared_info, a grant frame";
    EXPECT_EQ(h.xen.audit(), "");
}

}  // namespace
}  // namespace xenrig::test
