#include "abi_ring.h"

#include <cstring>

namespace xenrig::blk {

std::expected<AbiRing, ring::RingError> AbiRing::attach(const shared::Window& pages, Layout layout) {
    AbiRing made;
    if (layout == Layout::x86_64) {
        auto ring = Native::attach(pages);
        if (!ring) return std::unexpected(ring.error());
        made.ring_ = std::move(*ring);
    } else {
        auto ring = Compat::attach(pages);
        if (!ring) return std::unexpected(ring.error());
        made.ring_ = std::move(*ring);
    }
    return made;
}

ring::Index AbiRing::size() const {
    return std::visit([](const auto& ring) { return ring.size(); }, ring_);
}

std::expected<bool, ring::RingError> AbiRing::take(Command& command) {
    return std::visit(
        [&](auto& ring) -> std::expected<bool, ring::RingError> {
            const auto request = ring.take();
            if (!request) return std::unexpected(request.error());
            if (!*request) return false;
            const auto& bytes = (*request)->bytes;
            decode(bytes, bytes.size() == request_bytes(Layout::x86_64) ? Layout::x86_64 : Layout::x86_32, command);
            return true;
        },
        ring_);
}

void AbiRing::put(std::uint64_t id, std::uint8_t operation, Status status) {
    // In both layouts the operation follows the id, and the status a byte later.
    const auto code = static_cast<std::int16_t>(status);
    const auto fill = [&](auto response) {
        response.bytes.fill(std::byte{0});
        std::memcpy(response.bytes.data(), &id, sizeof id);
        response.bytes[offsetof(blkif_response, operation)] = std::byte{operation};
        std::memcpy(response.bytes.data() + offsetof(blkif_response, status), &code, sizeof code);
        return response;
    };
    if (auto* native = std::get_if<Native>(&ring_))
        native->put(fill(ResponseBytes<Layout::x86_64>{}));
    else
        std::get<Compat>(ring_).put(fill(ResponseBytes<Layout::x86_32>{}));
}

bool AbiRing::push() {
    return std::visit([](auto& ring) { return ring.push(); }, ring_);
}

bool AbiRing::sleep_unless_work() {
    return std::visit([](auto& ring) { return ring.sleep_unless_work(); }, ring_);
}

}  // namespace xenrig::blk
