// A frontend's ring whose entries have the layout of its own kernel's word: what a frontend of either puts is a Request
// of blkif.h.
//
// Threads: as FrontRing.
#pragma once

#include <expected>
#include <optional>
#include <variant>

#include "xenrig/drivers/blk/wire.h"
#include "xenrig/ring/front_ring.h"

namespace xenrig::blk {

class FrontAbiRing {
public:
    FrontAbiRing() = default;

    /// FrontRing::create().
    static FrontAbiRing create(const shared::Window& pages, Layout layout);
    void rebind(const shared::Window& pages);

    ring::Index size() const;
    void put(const Request& request);
    [[nodiscard]] bool push();
    std::expected<std::optional<Response>, ring::RingError> take();
    [[nodiscard]] bool sleep_unless_work();

private:
    using Native = ring::FrontRing<Request, Response>;
    using Narrow = ring::FrontRing<RequestBytes<Layout::x86_32>, ResponseBytes<Layout::x86_32>>;

    std::variant<Native, Narrow> ring_;
};

}  // namespace xenrig::blk
