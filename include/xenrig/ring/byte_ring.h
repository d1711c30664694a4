// One direction of a byte stream through shared memory: a power of two of bytes, a producer's and a consumer's index
// (xen/io/ring.h, DEFINE_XEN_FLEX_RING; console.h and xs_wire.h have the same thing with fixed sizes).
//
// The indices run freely modulo 2^32; prod - cons bytes are on the ring. Each end writes one index and believes its own
// private copy of it; the other end's is loaded once for each operation and must lie within the ring's size.
//
// Lifetime: the windows' leases must outlive the ends. Threads: one task at a time uses an end.
#pragma once

#include <algorithm>
#include <expected>
#include <span>

#include "xenrig/ring/layout.h"
#include "xenrig/shared/door.h"

namespace xenrig::ring {

/// Bytes of one of the two rings that share 2^order data pages (XEN_FLEX_RING_SIZE).
constexpr std::size_t flex_ring_size(unsigned order) { return kPageSize << order >> 1; }

/// Offsets in bytes in the index page of DEFINE_XEN_FLEX_RING_AND_INTF; `ref[]` follows `ring_order`.
namespace flex {
inline constexpr std::size_t kInCons = 0;
inline constexpr std::size_t kInProd = 4;
inline constexpr std::size_t kOutCons = 64;
inline constexpr std::size_t kOutProd = 68;
inline constexpr std::size_t kRingOrder = 128;
inline constexpr std::size_t kRef = 132;
}  // namespace flex

/// $NAME_mask: where in the data an index points.
constexpr Index mask(Index i, Index size) { return i & (size - 1); }

/// $NAME_queued: bytes ready to be read. `prod` and `cons` may run freely or be masked already; masked ones that are
/// equal mean an empty ring.
constexpr Index queued(Index prod, Index cons, Index size) {
    if (prod == cons) return 0;
    const Index distance = mask(prod - cons, size);
    return distance == 0 ? size : distance;
}

/// Where a byte ring lies. The data may lie in the same page as the indices (console, xenstore) or in pages of its own.
struct ByteRingPlace {
    shared::Window indices;
    std::size_t prod = 0;  ///< offset in bytes of the producer's index in `indices`
    std::size_t cons = 0;
    shared::Window data;
    std::size_t offset = 0;  ///< of the first byte in `data`
    Index size = 0;          ///< bytes, a power of two
};

class ByteProducer {
public:
    ByteProducer() = default;
    /// `prod` is where this end stands: 0 on a new ring, else what it last published.
    ByteProducer(ByteRingPlace place, Index prod) : place_(std::move(place)), prod_(prod) {
        check(std::has_single_bit(place_.size) && place_.data.contains(place_.offset, place_.size),
              "a byte ring is a power of two of bytes inside its window");
    }

    /// Bytes that write() would take now. RingError::byte_overflow when the consumer's index makes no sense.
    std::expected<Index, RingError> room() const {
        shared::new_decision();
        const Index cons = shared::load<Index>(place_.indices, place_.cons, shared::Fetch::poll);
        const Index on_ring = prod_ - cons;
        if (on_ring > place_.size) return std::unexpected(RingError::byte_overflow);
        return place_.size - on_ring;
    }

    /// Writes as much of `bytes` as there is room for and publishes it; returns how many that was. The caller then
    /// sends the event.
    ///
    /// Memory ordering: mb() after the load of the consumer's index (the space is free before it is filled), wmb()
    /// before the store of ours (contents before index).
    std::expected<std::size_t, RingError> write(std::span<const std::byte> bytes) {
        const auto room_now = room();
        if (!room_now) return std::unexpected(room_now.error());
        shared::mb();
        const std::size_t n = std::min<std::size_t>(bytes.size(), *room_now);
        const std::size_t at = mask(prod_, place_.size);
        const std::size_t first = std::min(n, place_.size - at);
        if (first != 0) shared::copy_in(place_.data, place_.offset + at, bytes.data(), first);
        if (n != first) shared::copy_in(place_.data, place_.offset, bytes.data() + first, n - first);
        if (n != 0) {
            prod_ += static_cast<Index>(n);
            shared::wmb();
            shared::store<Index>(place_.indices, place_.prod, prod_);
        }
        return n;
    }

    Index prod() const { return prod_; }

private:
    ByteRingPlace place_;
    Index prod_ = 0;
};

class ByteConsumer {
public:
    ByteConsumer() = default;
    /// `cons` is where this end stands: 0 on a new ring, else what it last published.
    ByteConsumer(ByteRingPlace place, Index cons) : place_(std::move(place)), cons_(cons) {
        check(std::has_single_bit(place_.size) && place_.data.contains(place_.offset, place_.size),
              "a byte ring is a power of two of bytes inside its window");
    }

    /// Bytes ready to be read. RingError::byte_overflow when the producer's index makes no sense.
    std::expected<Index, RingError> available() const {
        shared::new_decision();
        const Index prod = shared::load<Index>(place_.indices, place_.prod, shared::Fetch::poll);
        const Index on_ring = prod - cons_;
        if (on_ring > place_.size) return std::unexpected(RingError::byte_overflow);
        return on_ring;
    }

    /// Copies out as much as is there and fits into `out`, and gives the space back; returns how many bytes that was.
    /// The caller then sends the event, if the protocol wants one for space.
    ///
    /// Memory ordering: rmb() after the load of the producer's index (index before contents), mb() before the store of
    /// ours (the bytes are read before the space is given back).
    std::expected<std::size_t, RingError> read(std::span<std::byte> out) {
        const auto ready = available();
        if (!ready) return std::unexpected(ready.error());
        shared::rmb();
        const std::size_t n = std::min<std::size_t>(out.size(), *ready);
        const std::size_t at = mask(cons_, place_.size);
        const std::size_t first = std::min(n, place_.size - at);
        if (first != 0) shared::copy_out(place_.data, place_.offset + at, out.data(), first);
        if (n != first) shared::copy_out(place_.data, place_.offset, out.data() + first, n - first);
        if (n != 0) {
            cons_ += static_cast<Index>(n);
            shared::mb();
            shared::store<Index>(place_.indices, place_.cons, cons_);
        }
        return n;
    }

    Index cons() const { return cons_; }

private:
    ByteRingPlace place_;
    Index cons_ = 0;
};

}  // namespace xenrig::ring
