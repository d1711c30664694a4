// May this request be done? Decided on a private copy, so that no check can be undone by the frontend.
#pragma once

#include "xenrig/drivers/blk/wire.h"

namespace xenrig::blk {

/// What a request is held against.
struct Extent {
    std::uint64_t units = 0;             ///< the disk's size in units of 512 bytes
    std::uint32_t units_per_sector = 1;  ///< the disk's sector size in the same units, a power of two
    bool read_only = false;
};

/// In the order in which it is decided.
enum class Verdict : std::uint8_t {
    okay,
    unknown_operation,
    /// None or more than eleven for a read or write; any for a flush, which has no data.
    bad_segment_count,
    /// A write to a read-only disk.
    read_only,
    /// last_sect before first_sect, or behind the page's end.
    bad_segment_range,
    /// Not whole sectors of a disk whose sectors are larger than a unit.
    not_whole_sectors,
    beyond_end,
};

Verdict validate(const Request& request, const Extent& disk);

/// BLKIF_RSP_EOPNOTSUPP for an operation that we don't know, BLKIF_RSP_ERROR for what is wrong with one that we do.
Status status_of(Verdict verdict);

const char* describe(Verdict verdict);

/// Units that the segments of a valid request cover.
std::uint64_t units_of(const Request& request);

}  // namespace xenrig::blk
