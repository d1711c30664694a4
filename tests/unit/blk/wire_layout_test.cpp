// What a 32-bit frontend puts on its ring is what a 32-bit compiler would have, and a backend reads the same of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "recorded_layouts.h"
#include "xenrig/drivers/blk/command.h"

namespace xenrig::blk {
namespace {

/// A request of which each byte says where it stands.
Request numbered() {
    Request request;
    auto* bytes = reinterpret_cast<std::byte*>(&request);
    for (std::size_t i = 0; i < sizeof request; ++i) bytes[i] = static_cast<std::byte>(i);
    return request;
}

struct Native {
    const char* of;
    const char* field;
    std::size_t offset, bytes;
};

#define FIELD(type, member) \
    Native { #type, #member, offsetof(type, member), sizeof(type::member) }
constexpr Native kFields[] = {
    FIELD(blkif_request_t, operation),
    FIELD(blkif_request_t, nr_segments),
    FIELD(blkif_request_t, handle),
    FIELD(blkif_request_t, id),
    FIELD(blkif_request_t, sector_number),
    FIELD(blkif_request_t, seg),
    FIELD(blkif_request_discard_t, operation),
    FIELD(blkif_request_discard_t, flag),
    FIELD(blkif_request_discard_t, handle),
    FIELD(blkif_request_discard_t, id),
    FIELD(blkif_request_discard_t, sector_number),
    FIELD(blkif_request_discard_t, nr_sectors),
    FIELD(blkif_request_indirect_t, operation),
    FIELD(blkif_request_indirect_t, indirect_op),
    FIELD(blkif_request_indirect_t, nr_segments),
    FIELD(blkif_request_indirect_t, id),
    FIELD(blkif_request_indirect_t, sector_number),
    FIELD(blkif_request_indirect_t, handle),
    FIELD(blkif_request_indirect_t, indirect_grefs),
};
#undef FIELD

TEST(WireLayout, OfAnI386IsThatOfA32BitCompiler) {
    const auto recorded = test::recorded_layouts();
    const Request request = numbered();
    const auto narrow = narrowed(request);
    EXPECT_EQ(recorded.at("blkif_request_t").size, narrow.bytes.size());
    EXPECT_EQ(recorded.at("blkif_response_t").size, response_bytes(Layout::x86_32));
    std::size_t fields = 0;
    for (const char* name : {"blkif_request_t", "blkif_request_discard_t", "blkif_request_indirect_t"})
        fields += recorded.at(name).fields.size();
    EXPECT_EQ(fields, std::size(kFields));
    const auto* wide = reinterpret_cast<const std::byte*>(&request);
    for (const Native& f : kFields) {
        const test::RecordedField at = recorded.at(f.of).fields.at(f.field);
        ASSERT_EQ(at.bytes, f.bytes) << f.of << '.' << f.field;
        EXPECT_TRUE(std::equal(wide + f.offset, wide + f.offset + f.bytes, narrow.bytes.begin() + at.offset))
            << f.of << '.' << f.field;
    }
}

TEST(WireLayout, ABackendReadsTheSameOfEitherLayout) {
    for (const unsigned operation : {BLKIF_OP_READ, BLKIF_OP_DISCARD, BLKIF_OP_INDIRECT, 77}) {
        Request request = numbered();
        request.operation = static_cast<std::uint8_t>(operation);
        request.nr_segments = 9;
        Command wide, narrow;
        decode(std::as_bytes(std::span(&request, 1)), Layout::x86_64, wide);
        decode(narrowed(request).bytes, Layout::x86_32, narrow);
        EXPECT_EQ(narrow.id, wide.id);
        EXPECT_EQ(narrow.operation, wide.operation);
        EXPECT_EQ(narrow.sector, wide.sector);
        EXPECT_EQ(narrow.units, wide.units);
        EXPECT_EQ(narrow.segment_count, wide.segment_count);
        EXPECT_EQ(narrow.indirect_refs, wide.indirect_refs);
        ASSERT_EQ(narrow.segments.size(), wide.segments.size());
        for (std::size_t i = 0; i < wide.segments.size(); ++i)
            EXPECT_EQ(narrow.segments[i].gref, wide.segments[i].gref);
    }
}

}  // namespace
}  // namespace xenrig::blk
