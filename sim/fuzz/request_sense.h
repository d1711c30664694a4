// What a block request asks for, in either layout, and whether it makes sense: xen/io/blkif.h from line 480 on.
//
// Hostile peers are the judges: a frontend holds OKAY against a backend that gave it to nonsense, a backend holds
// nonsense against the frontend that sent it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace xenrig::fuzz {

struct RequestView {
    struct Segment {
        std::uint32_t gref = 0;
        std::uint8_t first = 0, last = 0;
    };

    std::uint8_t operation = 0;
    /// Of an indirect request, what it says inside; else the same.
    std::uint8_t inner = 0;
    std::uint64_t id = 0;
    std::uint64_t sector = 0;
    /// A discard's, of 512 bytes.
    std::uint64_t units = 0;
    /// Segments as claimed; those of the request itself follow, eleven at most.
    unsigned claimed = 0;
    std::vector<Segment> segments;

    bool writes() const;
};

RequestView read_request(std::span<const std::byte> slot, bool x86_32);

struct DiskRules {
    std::uint64_t sectors = 0;
    bool read_only = false;
    unsigned indirect_segments_max = 0;
};

/// What is wrong with it, whatever its pages; empty when there is nothing. Of an indirect request's segments only their
/// number is looked at.
std::string nonsense(const RequestView& request, const DiskRules& disk);

}  // namespace xenrig::fuzz
