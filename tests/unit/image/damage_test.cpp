#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "sample.h"
#include "sim/image/reader.h"

namespace xenrig::image {
namespace {

using namespace sample;

bool names_an_offset(const Error& e) { return e.message.starts_with("saved image, offset "); }

/// Feeds all in one piece and finishes; then once more, which must change nothing.
Result<> read_to_the_end(std::span<const std::byte> bytes, Kept& kept) {
    Reader reader(kept);
    auto fed = reader.feed(bytes);
    if (fed) fed = reader.finish();
    if (fed) return fed;
    const std::size_t calls = kept.calls;
    EXPECT_EQ(reader.feed(bytes).error().message, fed.error().message) << "the error stays";
    EXPECT_EQ(reader.finish().error().message, fed.error().message);
    EXPECT_EQ(kept.calls, calls) << "nothing is applied after the first error";
    return fed;
}

TEST(ImageDamage, EveryTruncationIsRefused) {
    for (const auto write : {write_small_hvm, write_small_pv}) {
        const Bytes saved = image(write);
        for (std::size_t length = 0; length < saved.size(); ++length) {
            Kept kept;
            const auto result = read_to_the_end(std::span(saved).first(length), kept);
            ASSERT_FALSE(result) << length;
            ASSERT_EQ(result.error().code, Errno::nodata) << length;
            ASSERT_TRUE(names_an_offset(result.error())) << result.error().message;
            ASSERT_FALSE(kept.ended) << length;
        }
    }
}

TEST(ImageDamage, EveryDamagedByteIsRefused) {
    for (const auto write : {write_small_hvm, write_small_pv}) {
        const Bytes saved = image(write);
        for (std::size_t at = 0; at < saved.size(); ++at) {
            for (const std::byte flip : {std::byte{0xff}, std::byte{1} << (at % 8)}) {
                Bytes damaged = saved;
                damaged[at] ^= flip;
                Kept kept;
                const auto result = read_to_the_end(damaged, kept);
                ASSERT_FALSE(result) << "offset " << at;
                ASSERT_TRUE(names_an_offset(result.error())) << result.error().message;
                ASSERT_FALSE(kept.ended) << "offset " << at;
            }
        }
    }
}

TEST(ImageDamage, EveryDamagedByteUnderARightChecksumIsRefusedOrReadToTheEnd) {
    for (const auto write : {write_small_hvm, write_small_pv}) {
        const auto pieces = cut(image(write));
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            for (std::size_t at = 0; at < std::min<std::size_t>(pieces[i].size(), 512); ++at) {
                auto damaged = pieces;
                damaged[i][at] ^= std::byte{0xff};
                Kept kept;
                const auto result = read_to_the_end(join_sealed(damaged), kept);
                ASSERT_EQ(kept.ended, result.has_value()) << "record " << i << ", byte " << at;
                ASSERT_TRUE(result || names_an_offset(result.error())) << result.error().message;
            }
        }
    }
}

TEST(ImageDamage, AnAbsurdLengthIsRefusedBeforeItsBodyComes) {
    for (const auto write : {write_hvm, write_pv}) {
        const auto pieces = cut(image(write));
        for (std::size_t i = 1; i < pieces.size(); ++i) {
            auto damaged = std::vector<Bytes>(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(i + 1));
            constexpr std::size_t kHeaders = sizeof(RecordHeader) + sizeof(EmulatorHeader) + sizeof(GuestHeader);
            damaged[i].resize(std::min(damaged[i].size(), kHeaders));
            for (std::size_t b = 4; b < 8; ++b) damaged[i][b] = std::byte{0xf8};
            Kept kept;
            Reader reader(kept);
            EXPECT_FALSE(reader.feed(join(damaged))) << "record " << i;
        }
    }
}

struct Case {
    const char* name;
    std::size_t piece, offset;
    std::uint32_t value;
    const char* says;
};

class ImageField : public testing::TestWithParam<Case> {};

TEST_P(ImageField, OutOfBoundsIsRefusedWithTheRuleItBreaks) {
    const Case& c = GetParam();
    auto pieces = cut(image(write_hvm));
    std::memcpy(pieces[c.piece].data() + c.offset, &c.value, sizeof c.value);
    Kept kept;
    const auto result = read_to_the_end(join_sealed(pieces), kept);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find(c.says), std::string::npos) << result.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Rules, ImageField,
    testing::Values(Case{"LibxlIdent", 0, 0, 0, "offset 0, libxl header: this is no image"},
                    Case{"LibxlVersion", 0, 8, std::byteswap(3u), "its version is 3"},
                    Case{"LibxlBigEndian", 0, 12, std::byteswap(1u), "big endian"},
                    Case{"LibxlLegacy", 0, 12, std::byteswap(2u), "legacy"},
                    Case{"ImageMarker", 1, 8, 0, "offset 24, libxc image header: the marker"},
                    Case{"ImageVersion2", 1, 20, std::byteswap(2u), "its version is 2"},
                    Case{"ImageBigEndian", 1, 24, std::byteswap(0x0001'0000u), "big endian"},
                    Case{"DomainType", 1, 32, 3, "offset 48, libxc domain header: type 3"},
                    Case{"PageShift", 1, 36, 13, "2^13"}, Case{"NoPages", 3, 8, 0, "it has no pages"},
                    Case{"PagesBeyondTheRecord", 3, 8, 1025, "does not fit 1025 pages"},
                    Case{"OnePageFewer", 3, 8, 2, "its pages need"},
                    Case{"PageType5", 3, 20, 0x5000'0000, "unknown type 5"},
                    Case{"PageWithoutData", 3, 20, 0xf000'0000, "its pages need"},
                    Case{"ParamsBeyondTheRecord", 5, 8, 3, "does not fit 3 parameters"},
                    Case{"ParamsFewer", 5, 8, 1, "does not fit 1 parameters"},
                    Case{"NoContext", 6, 4, 0, "HVM_CONTEXT: its length is 0"},
                    Case{"EndWithABody", 7, 4, 8, "END: its length is 8, and may be 0"},
                    Case{"QemuContext", 8, 8, 2, "the state of emulator 2"},
                    Case{"ThirdContext", 8, 12, 2, "index 2 is neither"},
                    Case{"StoreIdent", 8, 16, 0, "EMULATOR_CONTEXT (store): store's stream, offset 0, header"},
                    Case{"GuestIdent", 9, 16, 0, "it is no Guest of Xenrig"},
                    Case{"GuestVersion", 9, 24, 2, "another version of Xenrig"},
                    Case{"GuestLength", 9, 28, 17, "does not fit the Guest's"},
                    Case{"GuestTooLong", 9, 28, 17 << 20, "and at most 16777216 are taken"}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace xenrig::image
