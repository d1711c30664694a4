// May this request be done? Decided on a private copy, so that no check can be undone by the frontend.
#pragma once

#include "xenrig/drivers/blk/command.h"

namespace xenrig::blk {

/// What a request is held against.
struct Extent {
    std::uint64_t units = 0;             ///< the disk's size in units of 512 bytes
    std::uint32_t units_per_sector = 1;  ///< the disk's sector size in the same units, a power of two
    bool read_only = false;
};

/// The operations that the backend does besides read and write.
struct Offer {
    bool flush = true;
    bool barrier = false;
    bool discard = false;
    /// Segments of an indirect request; 0 where there are none of these.
    std::uint32_t indirect_segments = 0;
};

/// In the order in which it is decided.
enum class Verdict : std::uint8_t {
    okay,
    unknown_operation,
    /// An indirect request that says neither read nor write inside.
    bad_indirect_operation,
    /// None or more than eleven for a read or write, or than was offered for an indirect one; any for a flush.
    bad_segment_count,
    /// The pages with the segments can't be mapped.
    bad_indirect_page,
    /// A write to a read-only disk.
    read_only,
    /// last_sect before first_sect, or behind the page's end.
    bad_segment_range,
    /// Not whole sectors of a disk whose sectors are larger than a unit.
    not_whole_sectors,
    beyond_end,
};

/// The part that needs no segments: what is left is decided when those of an indirect request were read.
Verdict validate_head(const Command& command, const Extent& disk, const Offer& offer);
Verdict validate_extent(const Command& command, const Extent& disk);
/// Both.
Verdict validate(const Command& command, const Extent& disk, const Offer& offer);

/// BLKIF_RSP_EOPNOTSUPP for an operation that we don't know, BLKIF_RSP_ERROR for what is wrong with one that we do.
Status status_of(Verdict verdict);

const char* describe(Verdict verdict);

/// Units that the segments of a valid request cover.
std::uint64_t units_of(const Command& command);

}  // namespace xenrig::blk
