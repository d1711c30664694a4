#include "xenrig/drivers/blk/command.h"

#include <algorithm>
#include <cstring>

#include "xenrig/abi/check.h"

namespace xenrig::blk {

namespace {

template <class T>
T field(std::span<const std::byte> bytes, std::size_t offset) {
    check(offset + sizeof(T) <= bytes.size(), "a field lies inside its request");
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

/// Where the fields lie that alignment moves; `operation`, the byte after it and an indirect count never move.
struct Offsets {
    std::size_t id, sector, segments, discard_units, indirect_refs;
};

constexpr Offsets kNative{.id = 8, .sector = 16, .segments = 24, .discard_units = 24, .indirect_refs = 28};
constexpr Offsets k32{.id = 4, .sector = 12, .segments = 20, .discard_units = 20, .indirect_refs = 24};

static_assert(offsetof(blkif_request, id) == kNative.id && offsetof(blkif_request, seg) == kNative.segments);
static_assert(offsetof(blkif_request_discard, nr_sectors) == kNative.discard_units);
static_assert(offsetof(blkif_request_indirect, indirect_grefs) == kNative.indirect_refs);
static_assert(sizeof(blkif_request) == request_bytes(Layout::x86_64));
static_assert(sizeof(blkif_response) == response_bytes(Layout::x86_64));

}  // namespace

void decode(std::span<const std::byte> request, Layout layout, Command& command) {
    const Offsets& at = layout == Layout::x86_64 ? kNative : k32;
    auto segments = std::move(command.segments);
    segments.clear();
    command = {};
    command.segments = std::move(segments);
    command.code = field<std::uint8_t>(request, 0);
    command.operation = command.code;
    command.id = field<std::uint64_t>(request, at.id);
    command.sector = field<std::uint64_t>(request, at.sector);
    switch (command.operation) {
        case BLKIF_OP_DISCARD:
            command.secure = (field<std::uint8_t>(request, 1) & BLKIF_DISCARD_SECURE) != 0;
            command.units = field<std::uint64_t>(request, at.discard_units);
            break;
        case BLKIF_OP_INDIRECT:
            command.indirect = true;
            command.operation = field<std::uint8_t>(request, 1);
            command.segment_count = field<std::uint16_t>(request, 2);
            for (std::size_t i = 0; i < kIndirectPagesMax; ++i)
                command.indirect_refs[i] = GrantRef(field<std::uint32_t>(request, at.indirect_refs + 4 * i));
            break;
        default:
            command.segment_count = field<std::uint8_t>(request, 1);
            decode_segments(request.subspan(at.segments), std::min<std::size_t>(command.segment_count, kSegmentsMax),
                            command.segments);
    }
}

RequestBytes<Layout::x86_32> narrowed(const Request& request) {
    static_assert(kNative.id - k32.id == request_bytes(Layout::x86_64) - request_bytes(Layout::x86_32));
    static_assert(kNative.id - k32.id == kNative.sector - k32.sector);
    static_assert(kNative.id - k32.id == kNative.segments - k32.segments);
    static_assert(kNative.id - k32.id == kNative.discard_units - k32.discard_units);
    static_assert(kNative.id - k32.id == kNative.indirect_refs - k32.indirect_refs);
    RequestBytes<Layout::x86_32> narrow;
    const auto* from = reinterpret_cast<const std::byte*>(&request);
    std::memcpy(narrow.bytes.data(), from, k32.id);
    std::memcpy(narrow.bytes.data() + k32.id, from + kNative.id, sizeof request - kNative.id);
    return narrow;
}

void decode_segments(std::span<const std::byte> bytes, std::size_t count, std::vector<Segment>& segments) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = i * sizeof(blkif_request_segment);
        segments.push_back({.gref = GrantRef(field<std::uint32_t>(bytes, at)),
                            .first = field<std::uint8_t>(bytes, at + 4),
                            .last = field<std::uint8_t>(bytes, at + 5)});
    }
}

}  // namespace xenrig::blk
