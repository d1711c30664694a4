// Requests of a ring in their special forms (xen/io/blkif.h, blkif_request_discard and blkif_request_indirect).
#pragma once

#include <cstdint>

#include "sim/protocols/blk/raw_ring.h"

namespace xenrig::blk {

/// The same bytes, zeros behind them.
blkif_request_t as_request(const blkif_request_discard_t& discard);
blkif_request_t as_request(const blkif_request_indirect_t& indirect);
blkif_request_discard_t as_discard(const blkif_request_t& request);
blkif_request_indirect_t as_indirect(const blkif_request_t& request);

/// READ, WRITE and the like: of an indirect request what it says inside.
std::uint8_t operation_of(const blkif_request_t& request);

/// Where on the disk it begins, whatever its form.
std::uint64_t sector_of(const blkif_request_t& request);

blkif_request_t discard_request(std::uint64_t sector, std::uint64_t sectors, bool secure = false);

}  // namespace xenrig::blk
