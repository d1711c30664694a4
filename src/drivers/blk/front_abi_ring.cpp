#include "front_abi_ring.h"

#include "xenrig/drivers/blk/command.h"

namespace xenrig::blk {

FrontAbiRing FrontAbiRing::create(const shared::Window& pages, Layout layout) {
    FrontAbiRing made;
    if (layout == Layout::x86_64)
        made.ring_ = Native::create(pages);
    else
        made.ring_ = Narrow::create(pages);
    return made;
}

void FrontAbiRing::rebind(const shared::Window& pages) {
    std::visit([&](auto& ring) { ring.rebind(pages); }, ring_);
}

ring::Index FrontAbiRing::size() const {
    return std::visit([](const auto& ring) { return ring.size(); }, ring_);
}

void FrontAbiRing::put(const Request& request) {
    if (auto* native = std::get_if<Native>(&ring_))
        native->put(request);
    else
        std::get<Narrow>(ring_).put(narrowed(request));
}

bool FrontAbiRing::push() {
    return std::visit([](auto& ring) { return ring.push(); }, ring_);
}

std::expected<std::optional<Response>, ring::RingError> FrontAbiRing::take() {
    if (auto* native = std::get_if<Native>(&ring_)) return native->take();
    const auto taken = std::get<Narrow>(ring_).take();
    if (!taken) return std::unexpected(taken.error());
    if (!*taken) return std::nullopt;
    // The same without the padding at its end.
    Response response;
    clear(response);
    std::memcpy(static_cast<void*>(&response), (*taken)->bytes.data(), response_bytes(Layout::x86_32));
    return response;
}

bool FrontAbiRing::sleep_unless_work() {
    return std::visit([](auto& ring) { return ring.sleep_unless_work(); }, ring_);
}

}  // namespace xenrig::blk
