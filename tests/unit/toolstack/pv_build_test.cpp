// A PV domain as its builder leaves it.
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string_view>

#include "pv_domain.h"
#include "sim/toolstack/pv_plan.h"
#include "xenrig/abi/pv_address_space.h"

namespace xenrig::toolstack {
namespace {

TEST(PvBuild, TheStartPageNamesWhatTheDomainHas) {
    Built b;
    const start_info_t s = b.start();
    EXPECT_EQ(std::string_view(s.magic), "xen-3.0-x86_64");
    EXPECT_EQ(s.nr_pages, b.frames);
    EXPECT_EQ(s.flags, SIF_VIRT_P2M_4TOOLS) << "no privilege, and the list is found by its address";
    EXPECT_EQ(s.shared_info % kPageSize, 0u);
    EXPECT_EQ(b.xen().memory().page(Mfn{s.shared_info / kPageSize}), b.xen().shared_info(*b.built));
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(s.cmd_line)), "root=/dev/xvda quiet");
    EXPECT_EQ(s.mod_start, 0u);
    EXPECT_EQ(s.mod_len, 0u);
    EXPECT_EQ(s.first_p2m_pfn, 0u) << "of a list inside the first mapping";
    EXPECT_NE(s.store_evtchn, s.console.domU.evtchn);
    EXPECT_NE(s.store_mfn, s.console.domU.mfn);
    for (const std::uint64_t ring : {s.store_mfn, s.console.domU.mfn})
        EXPECT_EQ(b.xen().memory().owner(Mfn{ring}), *b.built);
    EXPECT_TRUE(b.xen().memory().zero(Mfn{s.console.domU.mfn}));
    EXPECT_EQ(frame_in(b.mapping(s.pt_base)), b.top());
}

TEST(PvBuild, TheListOfFramesAgreesWithTheMachineToPhysicalTable) {
    Built b;
    PvAddressSpace& space = b.xen().linear_space(*b.built, layout_of(b.spec).pv->virt_base);
    std::set<Mfn> seen;
    for (std::uint64_t pfn = 0; pfn < b.frames; ++pfn) {
        const Mfn mfn = b.listed(pfn);
        EXPECT_EQ(b.xen().memory().owner(mfn), *b.built);
        EXPECT_EQ(space.machine_to_phys(mfn), Gfn{pfn});
        EXPECT_TRUE(seen.insert(mfn).second) << "pfn " << pfn;
    }
    EXPECT_EQ(b.xen().info(*b.built)->frames, b.frames);
    EXPECT_EQ(space.machine_to_phys(Mfn{b.start().shared_info / kPageSize}), PvAddressSpace::kNowhere);
}

TEST(PvBuild, TheFirstMappingIsOneToOneAndEndsAtFourMebibytesWithRoomToSpare) {
    Built b;
    const std::uint64_t base = layout_of(b.spec).pv->virt_base;
    std::uint64_t mapped = 0;
    while ((b.mapping(base + mapped * kPageSize) & kPresent) != 0) {
        EXPECT_EQ(frame_in(b.mapping(base + mapped * kPageSize)), b.listed(mapped)) << mapped;
        ++mapped;
    }
    EXPECT_EQ(mapped, 1024u);
    EXPECT_EQ(b.mapping(base - kPageSize) & kPresent, 0u);
    // The stack is the last of what the builder takes (%rsp: its end), and 512 KiB follow it.
    EXPECT_LE(b.context.user_regs.rsp + (512 << 10), base + mapped * kPageSize);
    EXPECT_EQ(b.start().nr_pt_frames, b.tables().size()) << "4 MiB: one of each level, and two of the last";
    EXPECT_EQ(b.tables().size(), 5u);
}

void page_tables_are_tables(Built& b) {
    const auto tables = b.tables();
    std::vector<Mfn> all;
    all.reserve(b.frames);
    for (std::uint64_t pfn = 0; pfn < b.frames; ++pfn) all.push_back(b.xen().lookup(*b.built, Gfn{pfn}).value());
    std::vector<std::uint32_t> types;
    b.on_host([&] { types = b.calls().page_types(all).value(); });
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto table = tables.find(all[i]);
        const std::uint32_t wanted =
            table == tables.end() ? 0u : table->second << 28 | (all[i] == b.top() ? XEN_DOMCTL_PFINFO_LPINTAB : 0u);
        EXPECT_EQ(types[i], wanted) << "pfn " << i;
    }
    for (const auto& [table, level] : tables) {
        if (level != 1) continue;
        for (std::uint64_t i = 0; i < 512; ++i) {
            const std::uint64_t e = b.entry(table, i);
            if ((e & kPresent) == 0) continue;
            EXPECT_EQ((e & kWritable) == 0, tables.contains(frame_in(e))) << "entry " << i;
        }
    }
}

TEST(PvBuild, PageTablesAreTypedPinnedAtTheTopAndNowhereWritable) {
    Built b;
    page_tables_are_tables(b);
}

TEST(PvBuild, TheFirstVcpuStartsWithItsTablesAndWithoutUpcalls) {
    Built b;
    EXPECT_EQ(b.context.flags, std::uint64_t{VGCF_in_kernel | VGCF_online});
    EXPECT_EQ(b.context.event_callback_eip, 0u);
    EXPECT_NE(b.context.user_regs.rflags & 1 << 9, 0u);
    EXPECT_EQ(b.context.user_regs.cs, FLAT_KERNEL_CS64);
    EXPECT_EQ(b.context.kernel_sp, b.context.user_regs.rsp);
    const auto* shared = reinterpret_cast<const shared_info_t*>(b.xen().shared_info(*b.built));
    for (const vcpu_info_t& v : shared->vcpu_info) EXPECT_EQ(v.evtchn_upcall_mask, 1);
    b.on_host([&] {
        const auto second = b.calls().context(VcpuId{1});
        EXPECT_FALSE(second) << "the guest starts it";
    });
}

TEST(PvBuild, AThirtyTwoBitGuestHasThreeLevelsAndItsOwnStartPage) {
    Built b(32);
    ASSERT_TRUE(b.built) << b.built.error().message;
    // By xen.h's struct start_info as a 32-bit compiler lays it out.
    const auto word = [&](std::size_t offset) { return b.read<std::uint32_t>(b.context.user_regs.rsi + offset); };
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(b.at(b.context.user_regs.rsi))), "xen-3.0-x86_32p");
    EXPECT_EQ(word(32), b.frames);
    EXPECT_EQ(b.xen().memory().page(Mfn{word(36) / kPageSize}), b.xen().shared_info(*b.built));
    EXPECT_EQ(word(40), std::uint32_t{SIF_VIRT_P2M_4TOOLS});
    EXPECT_EQ(b.xen().memory().owner(Mfn{word(44)}), *b.built);
    EXPECT_NE(word(48), 0u);
    EXPECT_EQ(b.xen().memory().owner(Mfn{word(52)}), *b.built);
    EXPECT_NE(word(56), 0u);
    EXPECT_EQ(frame_in(b.mapping(word(60))), b.top());
    EXPECT_EQ(word(64), b.tables().size());
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(b.at(b.context.user_regs.rsi + 80))),
              "root=/dev/xvda quiet");
    for (std::uint64_t pfn = 0; pfn < b.frames; ++pfn)
        EXPECT_EQ(b.read<std::uint32_t>(word(68) + pfn * 4), b.xen().lookup(*b.built, Gfn{pfn})->value);
    page_tables_are_tables(b);
}

TEST(PvBuild, ADestroyedDomainLeavesNoFrameAndNoType) {
    for (const unsigned bits : {64u, 32u}) {
        Built b(bits);
        b.on_host([&] { EXPECT_TRUE(b.tools().destroy(*b.built)); });
        EXPECT_EQ(b.xen().memory().frames_free(), b.free_before);
        EXPECT_EQ(b.xen().audit(), "");
    }
}

TEST(PvBuild, TooLittleMemoryIsSaidAndGivenBack) {
    Built b(64, 1023);
    ASSERT_FALSE(b.built);
    EXPECT_EQ(b.built.error().code, Errno::nomem);
    EXPECT_NE(b.built.error().message.find("1024"), std::string::npos) << b.built.error().message;
    EXPECT_EQ(b.xen().memory().frames_free(), b.free_before);
    EXPECT_EQ(b.xen().audit(), "");
}

TEST(PvBuild, ACommandLineLongerThanItsRoomIsCutAndEnds) {
    Built b;
    const PvPlan plan = PvPlan::make(b.frames, 64).value();
    b.on_host([&] {
        b.spec.name = "talker";
        b.spec.cmd_line = std::string(5000, 'x');
        const auto other = b.tools().build(b.spec);
        ASSERT_TRUE(other);
        start_info_t s{};
        const Mfn page = b.xen().lookup(*other, plan.start_info).value();
        std::memcpy(&s, b.xen().memory().page(page), sizeof s);
        EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(s.cmd_line)).size(), std::size_t{1023});
    });
}

}  // namespace
}  // namespace xenrig::toolstack
