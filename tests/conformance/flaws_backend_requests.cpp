// Backends that are wrong in what they make of requests, and the checks that each of them fails.
#include "flaws.h"
#include "sim/conformance/stage.h"

namespace xenrig::conformance {

namespace {

using Op = blk::StorageOp::Kind;

template <class Change>
void with_indirect(blkif_request_t& r, Change change) {
    if (r.operation != BLKIF_OP_INDIRECT) return;
    auto indirect = blk::as_indirect(r);
    change(indirect);
    r = blk::as_request(indirect);
}

template <class Change>
void with_discard(blkif_request_t& r, Change change) {
    if (r.operation != BLKIF_OP_DISCARD) return;
    auto discard = blk::as_discard(r);
    change(discard);
    r = blk::as_request(discard);
}

auto answers(std::uint8_t operation, std::int16_t was, std::int16_t status) {
    return [=](blkif_response_t& r) {
        if (r.operation == operation && r.status == was) r.status = status;
    };
}

}  // namespace

std::vector<Flaw> backend_request_flaws() {
    return {
        {"KnowsNoFlush",
         [] { return Tamper{.puts_response = answers(BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY, BLKIF_RSP_ERROR)}; },
         {"blkif.backend-serves-offered-flush", "blkif.flush-makes-writes-durable"}},
        {"FlushIsALie",
         [] { return Tamper{.storage = [](blk::StorageOp& op) { return op.kind == Op::flush; }}; },
         {"blkif.barrier-makes-writes-durable", "blkif.flush-makes-writes-durable"}},
        {"KeepsPagesMapped",
         [] { return Tamper{.never_unmaps = {Of::data}}; },
         {"blkif.backend-reads-parameters-anew", "blkif.backend-reads-indirect",
          "blkif.backend-refuses-indirect-beyond-end", "blkif.backend-refuses-indirect-count",
          "blkif.backend-refuses-indirect-operation", "blkif.backend-refuses-indirect-range",
          "blkif.backend-releases-persistent-grants", "blkif.backend-survives-bad-grant",
          "blkif.backend-survives-bad-indirect-page", "blkif.backend-unmaps-before-response",
          "blkif.backend-writes-indirect", "xenbus.closed-backend-lets-go"}},
        {"ReadsPagesWithAWrongByte",
         [] {
             return Tamper{.stores_data = [](std::span<std::byte> data) {
                 if (data.size() == kPageSize) data[7] ^= std::byte{1};
             }};
         },
         {"blkif.backend-counts-512", "blkif.backend-keeps-persistent-grants", "blkif.backend-reads-indirect",
          "blkif.backend-serves-i386", "blkif.read-returns-data", "blkif.segments-are-inclusive",
          "blkif.write-reaches-disk"}},
        {"LosesWritesOfAPage",
         [] {
             return Tamper{
                 .storage = [](blk::StorageOp& op) { return op.kind == Op::write && op.data.size() == kPageSize; }};
         },
         {"blkif.backend-keeps-persistent-grants", "blkif.backend-writes-indirect", "blkif.write-reaches-disk"}},
        {"TakesUnknownOperationsForWrites",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 if (r.operation == BLKIF_OP_RESERVED_1 || r.operation > BLKIF_OP_INDIRECT)
                     r.operation = BLKIF_OP_WRITE;
             }};
         },
         {"blkif.backend-refuses-unknown-operation", "blkif.response-echoes-request"}},
        {"CutsTheNumberOfSegments",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 if (r.operation <= BLKIF_OP_WRITE && (r.nr_segments == 0 || r.nr_segments > 11)) r.nr_segments = 1;
             }};
         },
         {"blkif.backend-refuses-segment-count"}},
        {"CutsSegmentsToThePage",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 if (r.operation > BLKIF_OP_WRITE) return;
                 for (auto& segment : r.seg) {
                     segment.last_sect = std::min<std::uint8_t>(segment.last_sect, 7);
                     segment.first_sect = std::min(segment.first_sect, segment.last_sect);
                 }
             }};
         },
         {"blkif.backend-refuses-segment-range"}},
        {"BeginsSegmentsASectorLate",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 for (auto& segment : r.seg)
                     if (r.operation <= BLKIF_OP_WRITE && segment.first_sect == 2) segment.first_sect = 3;
             }};
         },
         {"blkif.segments-are-inclusive"}},
        {"ForgetsTheIdOfWhatItRefuses",
         [] {
             return Tamper{.puts_response = [](blkif_response_t& r) {
                 if (r.status == BLKIF_RSP_ERROR) r.id = 0;
             }};
         },
         {"blkif.backend-refuses-beyond-end", "blkif.backend-refuses-discard-beyond-end",
          "blkif.backend-refuses-indirect-beyond-end", "blkif.backend-refuses-indirect-count",
          "blkif.backend-refuses-indirect-operation", "blkif.backend-refuses-indirect-range",
          "blkif.backend-refuses-segment-count", "blkif.backend-refuses-segment-range",
          "blkif.backend-survives-bad-grant", "blkif.backend-survives-bad-indirect-page",
          "blkif.read-only-disk-refuses-writes", "blkif.response-echoes-request", "ring.backend-takes-every-request"}},
        {"BeginsAgainAtTheDisksEnd",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 if (r.operation <= BLKIF_OP_WRITE && r.sector_number >= Stage::kSectors - 1 && blk::sectors_of(r) > 1)
                     r.sector_number = 0;
             }};
         },
         {"blkif.backend-refuses-beyond-end"}},
        {"AnswersOkayToWritesThatFailed",
         [] { return Tamper{.puts_response = answers(BLKIF_OP_WRITE, BLKIF_RSP_ERROR, BLKIF_RSP_OKAY)}; },
         {"blkif.backend-counts-512", "blkif.backend-refuses-beyond-end", "blkif.backend-refuses-indirect-beyond-end",
          "blkif.backend-refuses-indirect-count", "blkif.backend-refuses-indirect-range",
          "blkif.backend-refuses-segment-count", "blkif.backend-refuses-segment-range",
          "blkif.backend-survives-bad-grant", "blkif.backend-survives-bad-indirect-page",
          "blkif.read-only-disk-refuses-writes"}},
    };
}

std::vector<Flaw> backend_feature_flaws() {
    return {
        {"OffersBarriersAndKnowsNone",
         [] {
             return Tamper{.takes_request =
                               [](blkif_request_t& r) {
                                   if (r.operation == BLKIF_OP_WRITE_BARRIER) r.operation = BLKIF_OP_RESERVED_1;
                               },
                           .puts_response =
                               [](blkif_response_t& r) {
                                   if (r.operation == BLKIF_OP_RESERVED_1) r.operation = BLKIF_OP_WRITE_BARRIER;
                               }};
         },
         {"blkif.backend-offers-what-it-serves", "blkif.backend-refuses-indirect-operation",
          "blkif.backend-refuses-unknown-operation"}},
        {"TakesABarrierForAWrite",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 if (r.operation == BLKIF_OP_WRITE_BARRIER) r.operation = BLKIF_OP_WRITE;
             }};
         },
         {"blkif.barrier-makes-writes-durable", "blkif.barrier-orders-writes", "blkif.read-only-disk-refuses-writes"}},
        {"DiscardsASectorMore",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 with_discard(r, [](auto& d) { d.nr_sectors += d.nr_sectors == 20; });
             }};
         },
         {"blkif.discard-covers-its-range"}},
        {"CutsDiscardsToTheDisk",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 with_discard(r, [](auto& d) {
                     d.sector_number = std::min<std::uint64_t>(d.sector_number, Stage::kSectors);
                     d.nr_sectors = std::min(d.nr_sectors, Stage::kSectors - d.sector_number);
                 });
             }};
         },
         {"blkif.backend-refuses-discard-beyond-end"}},
        {"ForgetsTheSecureFlag",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) { with_discard(r, [](auto& d) { d.flag = 0; }); }};
         },
         {"blkif.secure-discard-is-secure"}},
        {"ReadsIndirectlyASectorBehind",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 with_indirect(
                     r, [](auto& i) { i.sector_number += i.indirect_op == BLKIF_OP_READ && i.nr_segments == 12; });
             }};
         },
         {"blkif.backend-reads-indirect"}},
        {"WritesIndirectlyASectorBehind",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 with_indirect(
                     r, [](auto& i) { i.sector_number += i.indirect_op == BLKIF_OP_WRITE && i.nr_segments == 12; });
             }};
         },
         {"blkif.backend-copies-indirect-list", "blkif.backend-refuses-indirect-beyond-end",
          "blkif.backend-writes-indirect"}},
        {"CutsTheNumberOfListedSegments",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 with_indirect(r, [](auto& i) {
                     if (i.nr_segments == 0 || i.nr_segments > 256) i.nr_segments = 1;
                 });
             }};
         },
         {"blkif.backend-refuses-indirect-count"}},
        {"TakesAnythingIndirectForAWrite",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 with_indirect(r, [](auto& i) {
                     if (i.indirect_op > BLKIF_OP_WRITE) i.indirect_op = BLKIF_OP_WRITE;
                 });
             }};
         },
         {"blkif.backend-refuses-indirect-operation"}},
        {"CutsListedSegmentsToThePage",
         [] {
             return Tamper{.loads_data = [](std::span<std::byte> data) {
                 if (data.size() != 12 * sizeof(blkif_request_segment)) return;
                 for (std::size_t at = 0; at < data.size(); at += sizeof(blkif_request_segment)) {
                     auto& first = data[at + offsetof(blkif_request_segment, first_sect)];
                     auto& last = data[at + offsetof(blkif_request_segment, last_sect)];
                     last = std::min(last, std::byte{7});
                     first = std::min(first, last);
                 }
             }};
         },
         {"blkif.backend-refuses-indirect-range"}},
        {"BeginsIndirectRequestsAgainAtTheDisksEnd",
         [] {
             return Tamper{.takes_request = [](blkif_request_t& r) {
                 with_indirect(r, [](auto& i) {
                     if (i.sector_number >= Stage::kSectors - 95) i.sector_number = 0;
                 });
             }};
         },
         {"blkif.backend-refuses-indirect-beyond-end"}},
        {"FetchesAListTwice",
         [] { return Tamper{.fetches_lists_twice = true}; },
         {"blkif.backend-copies-indirect-list"}},
    };
}

}  // namespace xenrig::conformance
