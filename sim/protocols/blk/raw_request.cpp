#include "sim/protocols/blk/raw_request.h"

#include <algorithm>
#include <cstring>

namespace xenrig::blk {

namespace {

template <class To, class From>
To cast(const From& from) {
    static_assert(sizeof(To) <= sizeof(blkif_request_t) && sizeof(From) <= sizeof(blkif_request_t));
    To to;
    std::memset(static_cast<void*>(&to), 0, sizeof to);
    std::memcpy(static_cast<void*>(&to), &from, std::min(sizeof to, sizeof from));
    return to;
}

}  // namespace

blkif_request_t as_request(const blkif_request_discard_t& discard) { return cast<blkif_request_t>(discard); }
blkif_request_t as_request(const blkif_request_indirect_t& indirect) { return cast<blkif_request_t>(indirect); }
blkif_request_discard_t as_discard(const blkif_request_t& request) { return cast<blkif_request_discard_t>(request); }
blkif_request_indirect_t as_indirect(const blkif_request_t& request) { return cast<blkif_request_indirect_t>(request); }

std::uint8_t operation_of(const blkif_request_t& request) {
    return request.operation == BLKIF_OP_INDIRECT ? as_indirect(request).indirect_op : request.operation;
}

std::uint64_t sector_of(const blkif_request_t& request) {
    static_assert(offsetof(blkif_request_t, sector_number) == offsetof(blkif_request_indirect_t, sector_number));
    static_assert(offsetof(blkif_request_t, sector_number) == offsetof(blkif_request_discard_t, sector_number));
    static_assert(offsetof(blkif_request_t, id) == offsetof(blkif_request_indirect_t, id));
    return request.sector_number;
}

blkif_request_t discard_request(std::uint64_t sector, std::uint64_t sectors, bool secure) {
    auto discard = as_discard(blank_request());
    discard.operation = BLKIF_OP_DISCARD;
    discard.flag = secure ? BLKIF_DISCARD_SECURE : 0;
    discard.id = 0xd15ca4d;
    discard.sector_number = sector;
    discard.nr_sectors = sectors;
    return as_request(discard);
}

}  // namespace xenrig::blk
