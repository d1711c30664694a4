#include "xenrig/drivers/blk/validate.h"

namespace xenrig::blk {

namespace {

bool inside(std::uint64_t first, std::uint64_t units, const Extent& disk) {
    return first <= disk.units && units <= disk.units - first;
}

}  // namespace

std::uint64_t units_of(const Command& command) {
    std::uint64_t total = 0;
    for (const Segment& s : command.segments) total += s.last - s.first + 1u;
    return total;
}

Verdict validate_head(const Command& command, const Extent& disk, const Offer& offer) {
    const auto op = static_cast<Op>(command.operation);
    const unsigned count = command.segment_count;
    if (command.indirect) {
        if (offer.indirect_segments == 0) return Verdict::unknown_operation;
        if (op != Op::read && op != Op::write) return Verdict::bad_indirect_operation;
        if (count == 0 || count > offer.indirect_segments) return Verdict::bad_segment_count;
        return op == Op::write && disk.read_only ? Verdict::read_only : Verdict::okay;
    }
    switch (op) {
        case Op::read:
            return count == 0 || count > kSegmentsMax ? Verdict::bad_segment_count : Verdict::okay;
        case Op::write:
            if (count == 0 || count > kSegmentsMax) return Verdict::bad_segment_count;
            return disk.read_only ? Verdict::read_only : Verdict::okay;
        case Op::barrier:
            if (!offer.barrier) return Verdict::unknown_operation;
            // Without data it orders what was written before.
            if (count > kSegmentsMax) return Verdict::bad_segment_count;
            return disk.read_only && count != 0 ? Verdict::read_only : Verdict::okay;
        case Op::flush:
            if (!offer.flush) return Verdict::unknown_operation;
            return count == 0 ? Verdict::okay : Verdict::bad_segment_count;
        case Op::discard:
            if (!offer.discard) return Verdict::unknown_operation;
            return disk.read_only ? Verdict::read_only : Verdict::okay;
    }
    return Verdict::unknown_operation;
}

Verdict validate_extent(const Command& command, const Extent& disk) {
    const std::uint32_t inside_sector = disk.units_per_sector - 1;
    const auto op = static_cast<Op>(command.operation);
    if (op == Op::flush || (op == Op::barrier && command.segments.empty())) return Verdict::okay;
    bool whole_sectors = (command.sector & inside_sector) == 0;
    if (op == Op::discard) {
        if (!whole_sectors || (command.units & inside_sector) != 0) return Verdict::not_whole_sectors;
        return inside(command.sector, command.units, disk) ? Verdict::okay : Verdict::beyond_end;
    }
    for (const Segment& s : command.segments) {
        const unsigned first = s.first, end = s.last + 1u;
        if (end <= first || end > kUnitsPerPage) return Verdict::bad_segment_range;
        whole_sectors = whole_sectors && (first & inside_sector) == 0 && (end & inside_sector) == 0;
    }
    if (!whole_sectors) return Verdict::not_whole_sectors;
    return inside(command.sector, units_of(command), disk) ? Verdict::okay : Verdict::beyond_end;
}

Verdict validate(const Command& command, const Extent& disk, const Offer& offer) {
    const Verdict head = validate_head(command, disk, offer);
    return head == Verdict::okay ? validate_extent(command, disk) : head;
}

Status status_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::okay:
            return Status::okay;
        case Verdict::unknown_operation:
            return Status::not_supported;
        default:
            return Status::error;
    }
}

const char* describe(Verdict verdict) {
    switch (verdict) {
        case Verdict::okay:
            return "okay";
        case Verdict::unknown_operation:
            return "unknown operation";
        case Verdict::bad_indirect_operation:
            return "an indirect request that is neither read nor write";
        case Verdict::bad_segment_count:
            return "bad number of segments";
        case Verdict::bad_indirect_page:
            return "an indirect page that can't be mapped";
        case Verdict::read_only:
            return "write to a read-only disk";
        case Verdict::bad_segment_range:
            return "bad range of sectors in a segment";
        case Verdict::not_whole_sectors:
            return "not whole sectors";
        case Verdict::beyond_end:
            return "beyond the end of the disk";
    }
    return "?";
}

}  // namespace xenrig::blk
