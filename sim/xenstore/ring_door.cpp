#include "sim/xenstore/ring_door.h"

#include <algorithm>
#include <cstddef>

#include "sim/xenstore/domains.h"
#include "sim/xenstore/wire.h"
#include "xenrig/shared/door.h"

namespace xenrig::xenstore {
namespace {

using Page = xenstore_domain_interface;

constexpr std::uint32_t kRingSize = XENSTORE_RING_SIZE;

constexpr std::uint32_t masked(std::uint32_t index) { return index & (kRingSize - 1); }

std::uint32_t index(const shared::Window& page, std::size_t offset) {
    return shared::load<std::uint32_t>(page, offset, shared::Fetch::poll);
}

}  // namespace

RingDoor::RingDoor(shared::Window page, std::function<void()> notify)
    : page_(std::move(page)), notify_(std::move(notify)) {
    check(page_.contains(0, sizeof(Page)), "a store ring is a whole page");
}

std::expected<std::size_t, RingFault> RingDoor::read(std::span<std::byte> out) {
    shared::new_decision();
    const std::uint32_t cons = index(page_, offsetof(Page, req_cons));
    const std::uint32_t prod = index(page_, offsetof(Page, req_prod));
    if (prod - cons > kRingSize) return std::unexpected(RingFault::bad_index);
    const std::uint32_t piece = std::min(prod - cons, kRingSize - masked(cons));
    const std::size_t n = std::min<std::size_t>(out.size(), piece);
    shared::rmb();
    if (n != 0) shared::copy_out(page_, offsetof(Page, req) + masked(cons), out.data(), n);
    // The bytes are read before the guest may write over them.
    shared::mb();
    shared::store<std::uint32_t>(page_, offsetof(Page, req_cons), cons + static_cast<std::uint32_t>(n));
    notify_();
    return n;
}

std::expected<std::size_t, RingFault> RingDoor::write(std::span<const std::byte> bytes) {
    shared::new_decision();
    const std::uint32_t cons = index(page_, offsetof(Page, rsp_cons));
    const std::uint32_t prod = index(page_, offsetof(Page, rsp_prod));
    if (prod - cons > kRingSize) return std::unexpected(RingFault::bad_index);
    const std::uint32_t piece = std::min(kRingSize - (prod - cons), kRingSize - masked(prod));
    const std::size_t n = std::min<std::size_t>(bytes.size(), piece);
    // The guest has read what was there before it is written over.
    shared::mb();
    if (n != 0) shared::copy_in(page_, offsetof(Page, rsp) + masked(prod), bytes.data(), n);
    shared::wmb();
    shared::store<std::uint32_t>(page_, offsetof(Page, rsp_prod), prod + static_cast<std::uint32_t>(n));
    notify_();
    return n;
}

bool RingDoor::can_read() {
    shared::new_decision();
    const std::uint32_t cons = index(page_, offsetof(Page, req_cons));
    const std::uint32_t prod = index(page_, offsetof(Page, req_prod));
    return cons != prod;
}

bool RingDoor::can_write() {
    shared::new_decision();
    const std::uint32_t cons = index(page_, offsetof(Page, rsp_cons));
    const std::uint32_t prod = index(page_, offsetof(Page, rsp_prod));
    return prod - cons != kRingSize;
}

void RingDoor::broken(RingFault why) {
    if (shows_errors_) shared::store<std::uint32_t>(page_, offsetof(Page, error), static_cast<std::uint32_t>(why));
}

void RingDoor::reset() {
    for (const std::size_t at :
         {offsetof(Page, req_cons), offsetof(Page, req_prod), offsetof(Page, rsp_cons), offsetof(Page, rsp_prod)})
        shared::store<std::uint32_t>(page_, at, 0);
    shared::wmb();
    if (index(page_, offsetof(Page, connection)) != XENSTORE_RECONNECT) return;
    shared::store<std::uint32_t>(page_, offsetof(Page, connection), XENSTORE_CONNECTED);
    notify_();
}

bool RingDoor::wants_reset() {
    shared::new_decision();
    return index(page_, offsetof(Page, connection)) == XENSTORE_RECONNECT;
}

void RingDoor::set_features(std::uint32_t bits) {
    shows_errors_ = (bits & kFeatureError) != 0;
    shared::store<std::uint32_t>(page_, offsetof(Page, server_features), bits);
}

}  // namespace xenrig::xenstore
