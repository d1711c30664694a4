// A backend of a block device that was written for nothing but to be checked: small, slow, right, and breakable.
//
// One task does all. Without a flaw it keeps every clause; with one, what the flaw's comment says is wrong with it, and
// nothing else. It shares no code with blkback: rings and states are its own.
#pragma once

#include <cstdint>

#include "sim/conformance/subject.h"

namespace xenrig::conformance {

enum class BackendFlaw : std::uint8_t {
    none,
    /// Sets req_event and goes to sleep without another look at the ring.
    skips_final_check,
    /// Publishes rsp_prod before the response.
    index_before_response,
    /// Never sends an event.
    never_notifies,
    /// Takes whatever req_prod claims.
    trusts_req_prod,
    /// Takes the id from the ring, and later the rest.
    fetches_request_twice,
    /// Answers each flush twice.
    answers_twice,
    /// Writes to a disk with mode "r".
    ignores_read_only,
    /// Looks at first_sect and last_sect no further.
    trusts_segments,
    /// Does not compare with the disk's end.
    trusts_sector_number,
    /// Answers 0 as id of what it refuses.
    forgets_id,
    /// Does nothing at a flush and answers OKAY.
    flush_is_a_lie,
    /// Keeps the pages of a request mapped until the next one.
    keeps_pages_mapped,
    /// Writes Connected, and the properties afterwards.
    connected_too_early,
    /// Takes any layout for the native one.
    ignores_protocol,
    /// Keeps ring and port when it is Closed.
    keeps_ring_when_closed,
};

std::unique_ptr<BackendSubject> scripted_backend(Platform& platform, blk::StorageFactory storage, BackendFlaw flaw);

}  // namespace xenrig::conformance
