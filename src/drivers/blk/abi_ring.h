// A backend's ring whose entries have the frontend's layout: requests come out as Commands, answers go in.
//
// Threads: as BackRing.
#pragma once

#include <variant>

#include "xenrig/drivers/blk/command.h"
#include "xenrig/ring/back_ring.h"

namespace xenrig::blk {

class AbiRing {
public:
    AbiRing() = default;

    /// BackRing::attach().
    static std::expected<AbiRing, ring::RingError> attach(const shared::Window& pages, Layout layout);

    ring::Index size() const;

    /// The next request, decoded into `command`; false when there is none.
    std::expected<bool, ring::RingError> take(Command& command);
    void put(std::uint64_t id, std::uint8_t operation, Status status);
    [[nodiscard]] bool push();
    [[nodiscard]] bool sleep_unless_work();

private:
    template <Layout layout>
    using Ring = ring::BackRing<RequestBytes<layout>, ResponseBytes<layout>>;
    using Native = Ring<Layout::x86_64>;
    using Compat = Ring<Layout::x86_32>;

    std::variant<Native, Compat> ring_;
};

}  // namespace xenrig::blk
