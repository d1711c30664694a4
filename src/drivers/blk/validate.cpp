#include "xenrig/drivers/blk/validate.h"

namespace xenrig::blk {

std::uint64_t units_of(const Request& request) {
    std::uint64_t total = 0;
    for (unsigned i = 0; i < request.nr_segments; ++i)
        total += request.seg[i].last_sect - request.seg[i].first_sect + 1u;
    return total;
}

Verdict validate(const Request& request, const Extent& disk) {
    const auto op = static_cast<Op>(request.operation);
    if (op == Op::flush) return request.nr_segments == 0 ? Verdict::okay : Verdict::bad_segment_count;
    if (op != Op::read && op != Op::write) return Verdict::unknown_operation;

    if (request.nr_segments == 0 || request.nr_segments > kSegmentsMax) return Verdict::bad_segment_count;
    if (op == Op::write && disk.read_only) return Verdict::read_only;

    const std::uint32_t inside_sector = disk.units_per_sector - 1;
    bool whole_sectors = (request.sector_number & inside_sector) == 0;
    for (unsigned i = 0; i < request.nr_segments; ++i) {
        const unsigned first = request.seg[i].first_sect, end = request.seg[i].last_sect + 1u;
        if (end <= first || end > kUnitsPerPage) return Verdict::bad_segment_range;
        whole_sectors = whole_sectors && (first & inside_sector) == 0 && (end & inside_sector) == 0;
    }
    if (!whole_sectors) return Verdict::not_whole_sectors;

    const bool inside = request.sector_number <= disk.units && units_of(request) <= disk.units - request.sector_number;
    return inside ? Verdict::okay : Verdict::beyond_end;
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
        case Verdict::bad_segment_count:
            return "bad number of segments";
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
