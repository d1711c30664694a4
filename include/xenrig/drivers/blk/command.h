// A block request in our own terms, whatever layout it came in: the private copy that a backend validates and does.
//
// Sources: io/blkif.h (blkif_request, _discard, _indirect), io/protocols.h for the layouts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "xenrig/drivers/blk/wire.h"
#include "xenrig/shared/window.h"

namespace xenrig::blk {

/// Part of one page of the frontend's: sectors `first` to `last` of it, both included, in units of 512 bytes.
struct Segment {
    GrantRef gref{};
    std::uint8_t first = 0;
    std::uint8_t last = 0;
};

inline constexpr std::size_t kIndirectPagesMax = BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST;
/// Of an indirect page: eight bytes each.
inline constexpr std::size_t kSegmentsPerPage = kPageSize / sizeof(blkif_request_segment);
inline constexpr std::size_t kIndirectSegmentsMax = kIndirectPagesMax * kSegmentsPerPage;
inline constexpr std::size_t kRingPagesMax = shared::kWindowPagesMax;

struct Command {
    std::uint64_t id = 0;
    /// What is to be done. Of an indirect request what it says inside, and so says the response: Linux's blkfront
    /// takes any other for a broken backend.
    std::uint8_t operation = 0;
    /// The first byte of the request: what the response to an operation that nobody knows says.
    std::uint8_t code = 0;
    bool indirect = false;
    /// BLKIF_DISCARD_SECURE.
    bool secure = false;
    std::uint64_t sector = 0;  ///< units of 512 bytes
    std::uint64_t units = 0;   ///< of a discard
    /// As the request claims. `segments` of an indirect one are not there before its pages were read.
    std::uint16_t segment_count = 0;
    std::array<GrantRef, kIndirectPagesMax> indirect_refs{};
    std::vector<Segment> segments;

    std::size_t indirect_pages() const { return (segment_count + kSegmentsPerPage - 1) / kSegmentsPerPage; }
};

/// `request` is request_bytes(layout) long. Never fails: what makes no sense is validate()'s to find.
void decode(std::span<const std::byte> request, Layout layout, Command& command);

/// The same request as a 32-bit frontend lays it out. What its compiler left out lies before the id; behind that all
/// stands as it was, whatever the operation.
RequestBytes<Layout::x86_32> narrowed(const Request& request);

/// Appends segments of an indirect page's copy, or of a request's own array.
void decode_segments(std::span<const std::byte> bytes, std::size_t count, std::vector<Segment>& segments);

}  // namespace xenrig::blk
