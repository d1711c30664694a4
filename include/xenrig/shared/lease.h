// The right to look at a page, and the word on why it ended.
//
// Whoever gives the right (a grant mapping, a guest's own memory in one epoch) holds the lease and ends it; every
// window made under it is dead from then on, and the door reports the first use with the reason.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace xenrig::shared {

/// Why a window may no longer be used.
enum class LeaseEnd : std::uint8_t { none, unmapped, freed, epoch_over, domain_dead };

const char* describe(LeaseEnd end);

struct Lease {
    LeaseEnd end = LeaseEnd::none;
    bool writable = true;
    /// The peer can write here while we look: loads are watched for double fetches.
    bool peer_writable = true;
    /// What a report calls it: "d1 gref 8", "d1 gfn 0x12".
    std::string name;
    /// The number under which traces know it; the same in every run of the same choices.
    std::uint32_t id = 0;
};

using LeasePtr = std::shared_ptr<Lease>;

}  // namespace xenrig::shared
