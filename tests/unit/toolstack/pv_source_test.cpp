// What a toolstack that saves a PV domain believes of it: only what the hypervisor says, too.
#include "sim/toolstack/pv_source.h"

#include <gtest/gtest.h>

#include "pv_domain.h"

namespace xenrig::toolstack {
namespace {

/// A built domain that has said where its list of frames is, as its kernel does when it starts.
struct Told : Built {
    Told() {
        const start_info_t s = start();
        shared().arch.max_pfn = s.nr_pages;
        shared().arch.p2m_vaddr = s.mfn_list;
        shared().arch.p2m_cr3 = s.pt_base == 0 ? 0 : context.ctrlreg[3];
    }
    shared_info_t& shared() { return *reinterpret_cast<shared_info_t*>(xen().shared_info(*built)); }
    /// A word of the domain's own memory, as its kernel writes it.
    void write(std::uint64_t address, std::uint64_t value) {
        std::memcpy(const_cast<std::byte*>(at(address)), &value, sizeof value);
    }
    Errno refused() {
        const auto mapped = PvSource(host, *built).map_list();
        return mapped ? Errno{} : mapped.error().code;
    }
    PvSource::Frame copy_of(Mfn frame) {
        PvSource::Frame copy;
        std::memcpy(copy.data(), xen().memory().page(frame), kPageSize);
        return copy;
    }
};

TEST(PvSource, IsReadyWhenTheGuestHasSaidWhereItsListIs) {
    {
        Built untold;
        EXPECT_FALSE(PvSource(untold.host, *untold.built).ready());
    }
    Told t;
    PvSource source(t.host, *t.built);
    EXPECT_TRUE(source.ready());
    ASSERT_TRUE(source.map_list());
    EXPECT_EQ(source.last(), Gfn{t.frames - 1});
    ASSERT_EQ(source.list().size(), (t.frames + 511) / 512);
    for (std::size_t i = 0; i < source.list().size(); ++i)
        EXPECT_EQ(t.xen().lookup(*t.built, source.list()[i]).value(),
                  frame_in(t.mapping(t.start().mfn_list + i * kPageSize)));
}

TEST(PvSource, ALieAboutTheListIsNoListAndNoHarm) {
    Told t;
    t.shared().arch.p2m_vaddr += 8;
    EXPECT_EQ(t.refused(), Errno::range);
    t.shared().arch.p2m_vaddr = 0x1000;
    EXPECT_EQ(t.refused(), Errno::range) << "nothing is mapped there";
    t.shared().arch.p2m_vaddr = t.start().mfn_list;
    t.shared().arch.max_pfn = ~0ull;
    EXPECT_EQ(t.refused(), Errno::range);
    t.shared().arch.max_pfn = 0;
    EXPECT_EQ(t.refused(), Errno::range);
    t.shared().arch.max_pfn = t.frames;
    t.shared().arch.p2m_cr3 = 0x7'0000'0000;
    EXPECT_EQ(t.refused(), Errno::range) << "no frame";
    t.shared().arch.p2m_cr3 = t.xen().lookup(DomId{0}, Gfn{1})->value * kPageSize;
    EXPECT_EQ(t.refused(), Errno::range) << "the control domain's frame";
    t.shared().arch.p2m_cr3 = t.context.ctrlreg[3];
    EXPECT_EQ(t.refused(), Errno{});
}

TEST(PvSource, PageTablesAreSavedByTheGuestsOwnNumbers) {
    Told t;
    PvSource source(t.host, *t.built);
    ASSERT_TRUE(source.map_list());
    for (const auto& [table, level] : t.tables()) {
        auto copy = t.copy_of(table);
        ASSERT_TRUE(source.normalise(copy, static_cast<image::PageType>(level)));
        for (std::uint64_t i = 0; i < 512; ++i) {
            std::uint64_t saved = 0;
            std::memcpy(&saved, copy.data() + i * sizeof saved, sizeof saved);
            const std::uint64_t now = t.entry(table, i);
            ASSERT_EQ(saved & kPresent, now & kPresent);
            if ((now & kPresent) == 0) continue;
            EXPECT_EQ(t.xen().lookup(*t.built, Gfn{frame_in(saved).value}).value(), frame_in(now));
            EXPECT_EQ(saved & 0xfff, now & 0xfff) << "rights stay";
        }
    }
}

TEST(PvSource, APageTableThatMapsWhatIsNotTheGuestsMemoryWaits) {
    Told t;
    PvSource source(t.host, *t.built);
    ASSERT_TRUE(source.map_list());
    const std::uint64_t foreign[] = {t.start().shared_info / kPageSize, t.xen().lookup(DomId{0}, Gfn{1})->value,
                                     0xff'ffff'ffff};
    for (const std::uint64_t frame : foreign) {
        PvSource::Frame table{};
        const std::uint64_t entry = frame << 12 | kPresent;
        std::memcpy(table.data() + 8, &entry, sizeof entry);
        const auto saved = source.normalise(table, image::PageType::l1);
        ASSERT_FALSE(saved) << frame;
        EXPECT_EQ(saved.error().code, Errno::again);
    }
    // The same words in a page that is no table are the guest's affair.
    PvSource::Frame page{};
    page[0] = std::byte{1};
    EXPECT_TRUE(source.normalise(page, image::PageType::normal));
}

TEST(PvSource, AFrameThatTheListDoesNotNameIsNotTheGuests) {
    Told t;
    PvSource source(t.host, *t.built);
    ASSERT_TRUE(source.map_list());
    const Mfn named = t.listed(1200);
    t.write(t.start().mfn_list + 1200 * 8, ~0ull);
    PvSource::Frame table{};
    const std::uint64_t entry = named.value << 12 | kPresent;
    std::memcpy(table.data(), &entry, sizeof entry);
    EXPECT_FALSE(source.normalise(table, image::PageType::l1)) << "the machine's table says that it is page 1200";
}

TEST(PvSource, AVcpuHasTheGuestsNumbersAndOneThatIsDownHasNone) {
    Told t;
    PvSource source(t.host, *t.built);
    ASSERT_TRUE(source.map_list());
    t.on_host([&] {
        EXPECT_FALSE(source.vcpu(VcpuId{0})) << "it has left no start page's frame";
        t.context.user_regs.rdx = frame_in(t.mapping(t.context.user_regs.rsi)).value;
        ASSERT_TRUE(t.calls().set_context(VcpuId{0}, t.context));
        const auto saved = source.vcpu(VcpuId{0});
        ASSERT_TRUE(saved) << saved.error().message;
        vcpu_guest_context_t c{};
        ASSERT_EQ((*saved)->size(), sizeof c);
        std::memcpy(&c, (*saved)->data(), sizeof c);
        EXPECT_EQ(t.xen().lookup(*t.built, Gfn{c.ctrlreg[3] / kPageSize}).value(), t.top());
        EXPECT_EQ(t.xen().lookup(*t.built, Gfn{c.user_regs.rdx})->value, t.context.user_regs.rdx);
        const auto second = source.vcpu(VcpuId{1});
        ASSERT_TRUE(second);
        EXPECT_FALSE(second->has_value());
    });
}

}  // namespace
}  // namespace xenrig::toolstack
