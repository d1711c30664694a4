#include "sim/fuzz/request_sense.h"

#include <algorithm>
#include <cstring>

#include <xen/io/blkif.h>

namespace xenrig::fuzz {

namespace {

constexpr unsigned kSectorsPerPage = 8;

template <class T>
T field(std::span<const std::byte> bytes, std::size_t at) {
    T value{};
    if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

bool beyond(std::uint64_t sector, std::uint64_t units, const DiskRules& disk) {
    return sector > disk.sectors || units > disk.sectors - sector;
}

std::string wrong_segments(const RequestView& request, const DiskRules& disk) {
    // Nothing at any place is nothing.
    if (request.claimed == 0) return {};
    if (request.claimed > BLKIF_MAX_SEGMENTS_PER_REQUEST) return std::to_string(request.claimed) + " segments";
    std::uint64_t units = 0;
    for (const RequestView::Segment& s : request.segments) {
        if (s.first > s.last || s.last >= kSectorsPerPage)
            return "a segment from sector " + std::to_string(s.first) + " to " + std::to_string(s.last) +
                   " of its page";
        units += s.last - s.first + 1u;
    }
    if (beyond(request.sector, units, disk))
        return std::to_string(units) + " sectors at " + std::to_string(request.sector) + " of a disk with " +
               std::to_string(disk.sectors);
    return {};
}

}  // namespace

bool RequestView::writes() const {
    return inner == BLKIF_OP_WRITE || inner == BLKIF_OP_WRITE_BARRIER || inner == BLKIF_OP_DISCARD;
}

RequestView read_request(std::span<const std::byte> slot, bool x86_32) {
    const std::size_t id_at = x86_32 ? 4 : 8, sector_at = x86_32 ? 12 : 16, segments_at = x86_32 ? 20 : 24;
    RequestView view{.operation = field<std::uint8_t>(slot, 0), .id = field<std::uint64_t>(slot, id_at)};
    view.inner = view.operation;
    view.sector = field<std::uint64_t>(slot, sector_at);
    if (view.operation == BLKIF_OP_DISCARD) {
        view.units = field<std::uint64_t>(slot, segments_at);
        return view;
    }
    if (view.operation == BLKIF_OP_INDIRECT) {
        view.inner = field<std::uint8_t>(slot, 1);
        view.claimed = field<std::uint16_t>(slot, 2);
        return view;
    }
    view.claimed = field<std::uint8_t>(slot, 1);
    for (std::size_t i = 0; i < std::min<std::size_t>(view.claimed, BLKIF_MAX_SEGMENTS_PER_REQUEST); ++i) {
        const std::size_t at = segments_at + 8 * i;
        view.segments.push_back(
            {field<std::uint32_t>(slot, at), field<std::uint8_t>(slot, at + 4), field<std::uint8_t>(slot, at + 5)});
    }
    return view;
}

std::string nonsense(const RequestView& request, const DiskRules& disk) {
    // A barrier without data flushes.
    const bool changes = request.writes() && (request.operation == BLKIF_OP_DISCARD || request.claimed != 0);
    if (changes && disk.read_only) return "a change of a read-only disk";
    switch (request.operation) {
        case BLKIF_OP_READ:
        case BLKIF_OP_WRITE:
        case BLKIF_OP_WRITE_BARRIER:
            return wrong_segments(request, disk);
        case BLKIF_OP_FLUSH_DISKCACHE:
            return {};
        case BLKIF_OP_DISCARD:
            if (!beyond(request.sector, request.units, disk)) return {};
            return "a discard of " + std::to_string(request.units) + " sectors at " + std::to_string(request.sector) +
                   " of a disk with " + std::to_string(disk.sectors);
        case BLKIF_OP_INDIRECT:
            if (request.inner != BLKIF_OP_READ && request.inner != BLKIF_OP_WRITE)
                return "an indirect request of operation " + std::to_string(request.inner);
            if (request.claimed <= disk.indirect_segments_max) return {};
            return std::to_string(request.claimed) + " indirect segments, of " +
                   std::to_string(disk.indirect_segments_max) + " that were offered";
        default:
            return "operation " + std::to_string(request.operation);
    }
}

}  // namespace xenrig::fuzz
