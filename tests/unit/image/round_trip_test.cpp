#include <gtest/gtest.h>

#include "sample.h"
#include "sim/image/hvm_context.h"
#include "sim/image/reader.h"

namespace xenrig::image {
namespace {

using namespace sample;

TEST(ImageRoundTrip, AnHvmGuestComesBackAsItWas) {
    Kept kept;
    const Bytes saved = image(write_hvm);
    const auto read_back = read(saved, kept);
    ASSERT_TRUE(read_back) << read_back.error().message;
    EXPECT_EQ(kept.info, ImageInfo{});
    EXPECT_TRUE(kept.static_data_ended);
    ASSERT_EQ(kept.pages.size(), 4u);
    EXPECT_EQ(kept.pages[Gfn{0}], std::pair(PageType::normal, page_of(3))) << "the last copy of a page counts";
    EXPECT_EQ(kept.pages[Gfn{1}], std::pair(PageType::allocate_only, Bytes{}));
    EXPECT_EQ(kept.pages[Gfn{0xfeffc}], std::pair(PageType::normal, Bytes(kPageSize)));
    EXPECT_EQ(kept.pages[Gfn{9}], std::pair(PageType::invalid, Bytes{}));
    EXPECT_EQ(kept.params, (std::vector<HvmParam>{{1, 0xfeffc}, {2, 3}}));
    EXPECT_EQ((kept.states[{MachineState::hvm_context, VcpuId{}}]), minimal_hvm_context(0x306a9, 2'400'000));
    EXPECT_EQ(kept.store, store());
    EXPECT_EQ(kept.guest, text("guest-0017"));
    EXPECT_TRUE(kept.ended);
}

TEST(ImageRoundTrip, APvGuestComesBackAsItWas) {
    Kept kept;
    const auto read_back = read(image(write_pv), kept);
    ASSERT_TRUE(read_back) << read_back.error().message;
    EXPECT_EQ(kept.info.type, GuestType::pv);
    EXPECT_EQ(kept.pv_info, (std::vector<PvInfo>{{8, 4}}));
    EXPECT_EQ(kept.p2m, (std::vector<std::uint64_t>{0, 600, 100, 101}));
    EXPECT_EQ(kept.pages[Gfn{6}], std::pair(PageType::l4_pinned, page_of(2)));
    EXPECT_EQ((kept.states[{MachineState::shared_info, VcpuId{}}]), page_of(4));
    EXPECT_EQ((kept.states[{MachineState::vcpu_xsave, VcpuId{1}}]), text("ymm"));
    EXPECT_EQ(kept.states.size(), 4u + 2 * 4);
    EXPECT_TRUE(kept.ended);
}

TEST(ImageRoundTrip, HowTheImageIsCutIntoPiecesMakesNoDifference) {
    for (const auto write : {write_hvm, write_pv}) {
        const Bytes saved = image(write);
        Kept whole;
        ASSERT_TRUE(read(saved, whole, saved.size()));
        for (const std::size_t piece : {1, 3, 8, 13, 100, 4095, 4096, 4097, 8200}) {
            Kept kept;
            ASSERT_TRUE(read(saved, kept, piece)) << piece;
            EXPECT_TRUE(kept.same_content(whole)) << piece;
        }
    }
}

TEST(ImageRoundTrip, TheSmallestImageIsLaidOutAsDocumented) {
    const Bytes content = page_of(1);
    const Page page{Gfn{0}, content.data()};
    std::vector<std::size_t> sizes;
    for (const Bytes& piece : cut(image([&](Writer& w) {
             w.begin({});
             w.pages({&page, 1});
             w.machine_state(MachineState::hvm_context, minimal_hvm_context(0, 0));
             w.guest_context(text("one"));
             w.end();
         })))
        sizes.push_back(piece.size());
    EXPECT_EQ(sizes, (std::vector<std::size_t>{16, 8 + 24 + 16, 8, 8 + 4112, 8 + 40, 8, 8 + 40, 8})) << "docs/image.md";
}

TEST(ImageRoundTrip, ManyPagesBecomeRecordsOfTheSizeThatLibxcSends) {
    const Bytes content = page_of(5);
    std::vector<Page> batch(2500, {Gfn{0}, content.data()});
    for (std::uint64_t gfn = 0; gfn < batch.size(); ++gfn) batch[gfn].gfn = Gfn{gfn};
    const Bytes saved = image([&](Writer& w) {
        w.begin({});
        w.pages(batch);
        w.machine_state(MachineState::hvm_context, minimal_hvm_context(0, 0));
        w.guest_context({});
        w.end();
    });
    std::vector<std::uint32_t> counts;
    for (const Bytes& piece : cut(saved))
        if (piece.size() > 2 * kPageSize) counts.push_back(read_as<CountHeader>(std::span(piece).subspan(8)).count);
    EXPECT_EQ(counts, (std::vector<std::uint32_t>{1024, 1024, 452}));
    Kept kept;
    ASSERT_TRUE(read(saved, kept, 64 << 10));
    EXPECT_EQ(kept.pages.size(), 2500u);
    EXPECT_EQ(kept.pages[Gfn{2499}].second, content);
}

TEST(ImageRoundTrip, APageThatTheGuestWritesWhileTheSinkBlocksStaysWhole) {
    Bytes content = page_of(1);
    Bytes saved;
    Writer w([&](std::span<const std::byte> bytes) {
        for (const std::byte b : bytes) {
            saved.push_back(b);
            content[saved.size() % kPageSize] ^= std::byte{0x55};
        }
    });
    w.begin({});
    const Page batch[] = {{Gfn{0}, content.data()}, {Gfn{1}, content.data()}};
    w.pages(batch);
    w.machine_state(MachineState::hvm_context, minimal_hvm_context(0, 0));
    w.guest_context(text("guest"));
    w.end();
    Kept kept;
    const auto read_back = read(saved, kept);
    EXPECT_TRUE(read_back) << read_back.error().message;
}

TEST(ImageRoundTrip, PaddingAndReservedFieldsAreIgnored) {
    const Bytes saved = image(write_hvm);
    auto pieces = cut(saved);
    Kept kept, expected;
    ASSERT_TRUE(read(saved, expected));
    pieces[0][14] ^= std::byte{0x40};            // libxl header: options
    pieces[1][8 + 18] ^= std::byte{0xff};        // image header: reserved
    pieces[1][8 + 24 + 7] ^= std::byte{0xff};    // domain header: reserved
    pieces[3][8 + 5] ^= std::byte{0xff};         // PAGE_DATA: reserved
    pieces[3][8 + 8 + 6] ^= std::byte{0xf0};     // PAGE_DATA: bits 52 to 59 of the first pfn
    pieces[5][8 + 4] ^= std::byte{0xff};         // HVM_PARAMS: reserved
    pieces[9][8 + 8 + 16 + 10] ^= std::byte{1};  // the Guest: ten bytes, padded to sixteen
    const auto read_back = read(join_sealed(pieces), kept);
    ASSERT_TRUE(read_back) << read_back.error().message;
    EXPECT_TRUE(kept.same_content(expected));
}

TEST(ImageRoundTrip, AnErrorOfTheVisitorStopsTheReaderAndNamesTheRecord) {
    struct Full final : Visitor {
        Result<> on_pages(std::span<const Page>) override {
            ++calls;
            return fail(Errno::nomem, "the host has no frame left");
        }
        Result<> on_hvm_params(std::span<const HvmParam>) override {
            ++calls;
            return {};
        }
        int calls = 0;
    } full;
    const Bytes saved = image(write_hvm);
    const auto stopped = read(saved, full, saved.size());
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, Errno::nomem);
    EXPECT_EQ(stopped.error().message, "saved image, offset 72, libxc PAGE_DATA: the host has no frame left");
    EXPECT_EQ(full.calls, 1);
}

}  // namespace
}  // namespace xenrig::image
