// The shared part of a ring as bytes: where the indices lie, and how many entries fit (xen/io/ring.h).
//
// The first 64 bytes are the header; entries follow, each large enough for a request or a response. Nothing here
// touches a page.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace xenrig::ring {

/// RING_IDX: free-running, wraps at 2^32; only its low bits name a slot.
using Index = std::uint32_t;

/// Offsets in bytes of `struct mytag_sring`'s members.
inline constexpr std::size_t kReqProd = 0;
inline constexpr std::size_t kReqEvent = 4;
inline constexpr std::size_t kRspProd = 8;
inline constexpr std::size_t kRspEvent = 12;
/// Private bytes of single protocols (netif's smartpoll), then padding; zeroed by the owner.
inline constexpr std::size_t kPvt = 16;
inline constexpr std::size_t kEntries = 64;

/// Entries in `bytes` of ring pages: as many as fit, rounded down to a power of two (__RING_SIZE). `bytes` is at least
/// one page.
constexpr Index ring_size(std::size_t bytes, std::size_t entry_bytes) {
    return std::bit_floor(static_cast<Index>((bytes - kEntries) / entry_bytes));
}

/// What makes a ring unusable. Once returned, a ring returns it for ever, and its device must close.
enum class RingError : std::uint8_t {
    /// The frontend's req_prod claims more requests than there are free slots (RING_REQUEST_PROD_OVERFLOW), or went
    /// back behind what was taken.
    request_overflow,
    /// The backend's rsp_prod claims responses to requests that nobody made (stricter than
    /// RING_RESPONSE_PROD_OVERFLOW, which allows a ring full of them).
    response_overflow,
    /// A byte ring's indices are further apart than its size.
    byte_overflow,
};

/// A sentence for an error node: "req_prod claims more requests than the ring holds".
constexpr const char* describe(RingError e) {
    switch (e) {
        case RingError::request_overflow:
            return "req_prod claims more requests than the ring has room for";
        case RingError::response_overflow:
            return "rsp_prod claims responses to requests that were never made";
        case RingError::byte_overflow:
            return "the indices of a byte ring are further apart than its size";
    }
    return "?";
}

/// The notify rule of RING_PUSH_*_AND_CHECK_NOTIFY: did the index that the peer waits for become visible with this
/// push, that is, does `event` lie in (old, now]? Counts modulo 2^32.
constexpr bool wants_event(Index old, Index now, Index event) {
    return static_cast<Index>(now - event) < static_cast<Index>(now - old);
}

}  // namespace xenrig::ring
