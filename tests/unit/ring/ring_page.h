// A ring page with nobody else on it, and both ends' view of the raw indices.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "xenrig/ring/back_ring.h"
#include "xenrig/ring/front_ring.h"

namespace xenrig::ring {

struct Ask {
    std::uint64_t id = 0;
    std::array<std::uint8_t, 104> body{};
};
struct Answer {
    std::uint64_t id = 0;
    std::uint64_t status = 0;
};

using Front = FrontRing<Ask, Answer>;
using Back = BackRing<Ask, Answer>;

struct RingPage : testing::Test {
    alignas(8) std::array<std::byte, kPageSize> bytes{};
    shared::Window page{bytes.data(), std::make_shared<shared::Lease>()};

    Index index(std::size_t offset) const { return shared::load<Index>(page, offset, shared::Fetch::poll); }
    void set(std::size_t offset, Index value) const { shared::store<Index>(page, offset, value); }
};

}  // namespace xenrig::ring
