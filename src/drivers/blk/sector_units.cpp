#include "xenrig/drivers/blk/sector_units.h"

#include <algorithm>
#include <limits>

namespace xenrig::blk {

namespace {

std::uint64_t times(std::uint64_t n, std::uint32_t factor) {
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
    return n > kMost / factor ? kMost : n * factor;
}

}  // namespace

WireUnits wire_units(const SectorUnits& units, std::uint32_t sector_bytes) {
    const auto sector = static_cast<std::uint32_t>(sector_bytes / kUnit);
    return {
        .size = units.size ? sector : 1, .number = units.number ? sector : 1, .segment = units.segment ? sector : 1};
}

void scale_numbers(Command& command, const WireUnits& wire) {
    command.sector = times(command.sector, wire.number);
    command.units = times(command.units, wire.number);
}

void scale_segments(std::span<Segment> segments, const WireUnits& wire) {
    if (wire.segment == 1) return;
    for (Segment& s : segments) {
        const std::uint32_t first = s.first * wire.segment, last = (s.last + 1u) * wire.segment - 1;
        // What lies behind the page must not come round into it again.
        s.first = static_cast<std::uint8_t>(std::min<std::uint32_t>(first, 0xff));
        s.last = static_cast<std::uint8_t>(std::min<std::uint32_t>(last, 0xff));
    }
}

}  // namespace xenrig::blk
