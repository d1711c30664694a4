// The door with nobody watching: a window's pages are translated one by one, and atomics return the old value.
#include <gtest/gtest.h>

#include <vector>

#include "xenrig/shared/door.h"

namespace xenrig::shared {
namespace {

struct TwoPages : testing::Test {
    alignas(8) std::array<std::byte, kPageSize> first{}, far{}, second{};
    Window window = [this] {
        Window w{first.data(), std::make_shared<Lease>()};
        w.append(second.data());
        return w;
    }();
};

TEST_F(TwoPages, ACopyAcrossPagesThatAreNoNeighboursArrivesWhole) {
    std::vector<std::byte> in(100);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::byte>(i + 1);
    copy_in(window, kPageSize - 37, in.data(), in.size());

    std::vector<std::byte> out(in.size());
    copy_out(window, kPageSize - 37, out.data(), out.size());
    EXPECT_EQ(out, in);
    EXPECT_EQ(second[62], in[99]);
    EXPECT_EQ(far[0], std::byte{0});
}

TEST_F(TwoPages, AtomicsReturnTheOldValueAndChangeOnlyTheirOwnBytes) {
    store<std::uint32_t>(window, 4, 0xf0u);
    EXPECT_EQ(fetch_or<std::uint32_t>(window, 4, 0x0fu), 0xf0u);
    EXPECT_EQ(fetch_and<std::uint32_t>(window, 4, 0x3cu), 0xffu);
    EXPECT_EQ(compare_exchange<std::uint32_t>(window, 4, 0x3cu, 7u), 0x3cu);
    EXPECT_EQ(compare_exchange<std::uint32_t>(window, 4, 0x3cu, 9u), 7u);
    EXPECT_EQ(exchange<std::uint16_t>(window, 4, 1), 7u);
    EXPECT_EQ(load<std::uint64_t>(window, 0), 1ull << 32);
}

TEST_F(TwoPages, AnAccessOutsideTheWindowIsOurOwnMistakeAndAborts) {
    EXPECT_DEATH(load<std::uint32_t>(window, 2 * kPageSize), "inside");
    EXPECT_DEATH(load<std::uint32_t>(window, 2), "aligned");
}

}  // namespace
}  // namespace xenrig::shared
