// Backends that are wrong in one way each, and the checks that each of them fails.
#include <cstring>

#include "flaws.h"
#include "sim/conformance/stage.h"

namespace xenrig::conformance {

namespace {

using Op = blk::StorageOp::Kind;
using Word = blk::RawRing::Word;

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

/// Nobody publishes more than is served, whatever he does.
auto reads_number_as_1(std::string node) {
    return [=](const std::string& name, Tamper::Text is, bool) {
        return name == node && is && *is != "2" ? Tamper::Text("1") : is;
    };
}

std::vector<Flaw> of_the_ring() {
    return {
        {"CountsResponsesTo96AndBeginsAgain",
         [] {
             return Tamper{.stores_word = [](const Words&, Word w, std::uint32_t n) {
                 return std::optional(w == Word::rsp_prod ? n % 96 : n);
             }};
         },
         {"blkif.backend-serves-large-ring", "blkif.backend-serves-queues", "ring.backend-counter-runs-freely"}},
        {"ScribblesInTheHeader",
         [] { return Tamper{.scribbles = true}; },
         {"ring.backend-leaves-header", "ring.backend-slots"}},
        {"AnswersNothingBeforeAnEvent",
         [] {
             // A port that is bound is pending at once: that is no event of the frontend's.
             const auto heard = std::make_shared<unsigned>(0);
             return Tamper{.loads_word = [heard](const Words&, Word w,
                                                 std::uint32_t n) { return w == Word::req_prod && *heard < 2 ? 0 : n; },
                           .deaf = [heard] { return ++*heard, false; }};
         },
         {"ring.backend-serves-earlier-requests"}},
        {"LeavesTheLastOfAFullRing",
         [] {
             const auto left = std::make_shared<std::uint32_t>(0);
             return Tamper{.loads_word = [left](const Words& words, Word w, std::uint32_t n) {
                 if (w != Word::req_prod || n == 0) return n;
                 if (n - words.rsp_prod == words.size) *left = n;
                 return n == *left ? n - 1 : n;
             }};
         },
         {"blkif.backend-queues-are-independent", "blkif.backend-serves-large-ring", "blkif.backend-serves-queues",
          "blkif.response-echoes-request", "ring.backend-takes-every-request"}},
        {"CutsAnImpossibleClaimToARing",
         [] {
             return Tamper{.loads_word = [](const Words& words, Word w, std::uint32_t n) {
                 return w == Word::req_prod && n - words.rsp_prod > words.size ? words.rsp_prod + words.size : n;
             }};
         },
         {"blkif.broken-queue-stops-backend", "ring.request-overflow-stops-backend"}},
        {"FetchesARequestTwice", [] { return Tamper{.fetches_twice = true}; }, {"ring.backend-copies-request"}},
        {"LeavesOutTheWriteBarrier",
         [] { return Tamper{.without_write_barrier = true}; },
         {"ring.response-before-index"}},
        {"LeavesOutTheReadBarrier",
         [] { return Tamper{.without_read_barrier = true}; },
         {"ring.backend-takes-every-request"}},
        {"LeavesOutTheBarrierAfterItsIndex",
         [] { return Tamper{.without_barrier_after = {Word::rsp_prod}}; },
         {"ring.backend-meets-sleeping-frontend"}},
        {"LeavesOutTheBarrierBeforeItsLastLook",
         [] { return Tamper{.without_barrier_after = {Word::req_event}}; },
         {"ring.backend-final-check"}},
        {"PublishesTheIndexFirst", [] { return Tamper{.index_first = true}; }, {"ring.response-before-index"}},
        {"NeverSendsAnEvent",
         [] { return Tamper{.without_event = [] { return true; }}; },
         {"ring.backend-meets-sleeping-frontend", "ring.backend-notifies-when-asked"}},
        {"LooksAtTheRingOnceForEachEvent",
         [] {
             const auto looked = std::make_shared<bool>(false);
             const auto seen = std::make_shared<std::uint32_t>(0);
             return Tamper{.loads_word =
                               [=](const Words&, Word w, std::uint32_t n) {
                                   if (w != Word::req_prod) return n;
                                   if (*seen == n || std::exchange(*looked, true)) return *seen;
                                   return *seen = n;
                               },
                           .deaf = [=] { return *looked = false; }};
         },
         {"blkif.backend-reads-parameters-anew", "blkif.backend-queues-are-independent", "ring.backend-final-check",
          "xenbus.backend-begins-anew-after-closed"}},
        {"AsksForTheEventAfterTheNextOnceTheRingWasFull",
         [] {
             return Tamper{.stores_word = [](const Words&, Word w, std::uint32_t n) {
                 return std::optional(w == Word::req_event && n > 33 ? n + 1 : n);
             }};
         },
         {"blkif.backend-queues-are-independent", "blkif.backend-serves-i386", "ring.backend-asks-before-sleep",
          "ring.backend-counter-runs-freely"}},
        {"ServesNobodyWhoIsNotConnected",
         [] {
             const auto state = std::make_shared<std::string>();
             return Tamper{.reads =
                               [state](const std::string& name, Tamper::Text is, bool own) {
                                   if (name == "state" && !own) *state = is.value_or("");
                                   return is;
                               },
                           .loads_word =
                               [state](const Words& words, Word w, std::uint32_t n) {
                                   return w == Word::req_prod && *state != "4" ? words.rsp_prod : n;
                               }};
         },
         {"blkif.backend-queues-are-independent", "blkif.backend-serves-i386", "blkif.backend-serves-large-ring",
          "blkif.backend-serves-queues", "blkif.backend-takes-defaults", "blkif.backend-takes-early-frontend",
          "blkif.backend-takes-empty-disk", "ring.backend-serves-earlier-requests", "xenbus.connected-means-ready"}},
        {"ServesTheSecondQueueUntilTheFirstIsFull",
         [] {
             const auto first = std::make_shared<std::uint32_t>(0);
             return Tamper{.loads_word = [first](const Words& words, Word w, std::uint32_t n) {
                 if (w != Word::req_prod) return n;
                 if (words.number == 0) *first = words.rsp_prod;
                 return words.number == 1 && *first >= words.size ? words.rsp_prod : n;
             }};
         },
         {"blkif.backend-queues-are-independent"}},
    };
}

std::vector<Flaw> of_the_states() {
    return {
        {"WritesClosingAsTwoDigits",
         [] { return Tamper{.writes = writes_state_as("5", "05")}; },
         {"blkif.backend-refuses-large-ring", "blkif.backend-refuses-missing-page",
          "blkif.backend-refuses-missing-queue", "blkif.backend-refuses-queue-count",
          "blkif.backend-refuses-unknown-layout", "xenbus.backend-closes-on-error",
          "xenbus.backend-follows-closing-frontend"}},
        {"TakesAFrontendWithoutAStateForInitialised",
         [] { return Tamper{.reads = reads_state_as("", "3")}; },
         {"xenbus.backend-waits-without-peer-state"}},
        {"NeverSeesAFrontendClosing",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool own) {
                 return name == "state" && !own && (is == "5" || is == "6") ? Tamper::Text("4") : is;
             }};
         },
         {"blkif.backend-releases-persistent-grants", "blkif.broken-queue-stops-backend",
          "ring.request-overflow-stops-backend", "xenbus.backend-begins-anew-after-closed",
          "xenbus.backend-closes-on-unplug", "xenbus.backend-follows-closing-frontend",
          "xenbus.closed-backend-lets-go"}},
        {"NeverWritesClosing",
         [] { return Tamper{.writes = writes_state_as("5", {})}; },
         {"blkif.backend-refuses-large-ring", "blkif.backend-refuses-missing-page",
          "blkif.backend-refuses-missing-queue", "blkif.backend-refuses-queue-count",
          "blkif.backend-refuses-unknown-layout", "xenbus.backend-closes-on-error",
          "xenbus.backend-follows-closing-frontend"}},
        {"KeepsItsRingMapped",
         [] { return Tamper{.never_unmaps = {Of::ring}}; },
         {"blkif.backend-reads-parameters-anew", "blkif.backend-releases-persistent-grants",
          "blkif.broken-queue-stops-backend", "xenbus.backend-closes-on-error", "xenbus.closed-backend-lets-go"}},
        {"KeepsItsPort", [] { return Tamper{.never_closes_port = true}; }, {"xenbus.closed-backend-lets-go"}},
        {"IsNeverOnline",
         [] { return Tamper{.reads = reads_as("online", "0")}; },
         {"blkif.backend-reads-parameters-anew", "xenbus.backend-begins-anew-after-closed"}},
        {"IgnoresAnEarlyFrontend",
         [] {
             const auto first = std::make_shared<std::string>();
             return Tamper{.reads = [first](const std::string& name, Tamper::Text is, bool own) {
                 if (name != "state" || own || !is) return is;
                 if (first->empty()) *first = *is;
                 return *first == "3" ? Tamper::Text("1") : is;
             }};
         },
         {"blkif.backend-takes-early-frontend"}},
        {"IgnoresAFrontendThatSkipsInitialised",
         [] {
             const auto connected = std::make_shared<bool>(false);
             return Tamper{.reads =
                               [connected](const std::string& name, Tamper::Text is, bool own) {
                                   return name == "state" && !own && is == "4" && !*connected ? Tamper::Text("1") : is;
                               },
                           .writes =
                               [connected](const std::string& name, std::string value) {
                                   if (name == "state") *connected = value == "4";
                                   return Tamper::Text(value);
                               }};
         },
         {"blkif.backend-takes-connected-frontend"}},
    };
}

std::vector<Flaw> of_the_nodes() {
    return {
        {"WritesInfoInHexadecimal",
         [] { return Tamper{.writes = writes_as("info", "0x0")}; },
         {"blkif.backend-info-tells-read-only", "blkif.backend-writes-decimal"}},
        {"WantsANameForTheLayout",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool) {
                 return name == "protocol" && !is ? Tamper::Text("none") : is;
             }};
         },
         {"blkif.backend-takes-defaults"}},
        {"TakesAnyLayoutForTheNativeOne",
         [] { return Tamper{.reads = reads_as("protocol", "x86_64-abi")}; },
         {"blkif.backend-refuses-unknown-layout", "blkif.backend-serves-i386"}},
        {"TellsAPhysicalSectorOf768Bytes",
         [] { return Tamper{.writes = writes_as("physical-sector-size", "768")}; },
         {"blkif.backend-properties-make-sense"}},
        {"WritesAFeatureAfterInitWait",
         [] { return Tamper{.late = {"feature-flush-cache"}}; },
         {"blkif.backend-features-before-initwait"}},
        {"WritesInfoAfterConnected",
         [] { return Tamper{.late = {"info"}}; },
         {"blkif.backend-properties-before-connected"}},
        {"TakesEveryDiskForWritable",
         [] { return Tamper{.disk = [](blk::StorageInfo& info) { info.read_only = false; }}; },
         {"blkif.backend-info-tells-read-only", "blkif.read-only-disk-refuses-writes"}},
        {"IgnoresDiscardEnable",
         [] { return Tamper{.reads = reads_as("discard-enable", {})}; },
         {"blkif.backend-honours-discard-enable"}},
        {"TellsNoDiscardGranularity",
         [] { return Tamper{.writes = writes_as("discard-granularity", {})}; },
         {"blkif.backend-tells-discard-extents"}},
        {"TellsOneLimitOfARing",
         [] { return Tamper{.writes = writes_as("max-ring-pages", {})}; },
         {"blkif.backend-publishes-both-ring-limits"}},
        {"TakesALargeRingForASmallOne",
         [] { return Tamper{.reads = reads_as("ring-page-order", "0")}; },
         {"blkif.backend-refuses-large-ring", "blkif.backend-refuses-missing-page", "blkif.backend-serves-large-ring",
          "blkif.backend-serves-queues"}},
        {"TakesAnyNumberOfPagesForOne",
         [] { return Tamper{.reads = reads_number_as_1("num-ring-pages")}; },
         {"blkif.backend-refuses-large-ring", "blkif.backend-serves-large-ring"}},
        {"TakesAnyNumberOfQueuesForOne",
         [] { return Tamper{.reads = reads_number_as_1("multi-queue-num-queues")}; },
         {"blkif.backend-refuses-queue-count"}},
        {"MapsTheFirstPageWhereOneIsMissing",
         [] {
             const auto first = std::make_shared<Tamper::Text>();
             return Tamper{.reads = [first](const std::string& name, Tamper::Text is, bool) {
                 if (name == "ring-ref0") *first = is;
                 return name == "ring-ref1" && !is ? *first : is;
             }};
         },
         {"blkif.backend-refuses-missing-page"}},
        {"KeepsNoPersistentGrants",
         [] { return Tamper{.reads = reads_as("feature-persistent", "0")}; },
         {"blkif.backend-keeps-persistent-grants"}},
        {"RemembersThatAFrontendKeptItsGrants",
         [] {
             const auto kept = std::make_shared<bool>(false);
             return Tamper{.reads = [kept](const std::string& name, Tamper::Text is, bool) {
                 if (name != "feature-persistent") return is;
                 *kept = *kept || is == "1";
                 return *kept ? Tamper::Text("1") : is;
             }};
         },
         {"blkif.backend-reads-parameters-anew"}},
        {"CallsEveryDiskACdrom",
         [] {
             return Tamper{.writes = [](const std::string& name, std::string is) {
                 return Tamper::Text(name == "info" ? std::to_string(std::stoul(is) | VDISK_CDROM) : is);
             }};
         },
         {"blkif.backend-info-tells-kind"}},
        {"CountsLargeSectors",
         [] { return Tamper{.disk = [](blk::StorageInfo& info) { info.bytes /= info.sector_bytes / 512; }}; },
         {"blkif.backend-counts-512"}},
        {"SaysAnEmptyDiskHasSectors",
         [] {
             return Tamper{.disk = [](blk::StorageInfo& info) {
                 if (info.bytes == 0) info.bytes = 1 << 20;
             }};
         },
         {"blkif.backend-takes-empty-disk"}},
    };
}

std::vector<Flaw> of_requests() {
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

std::vector<Flaw> of_features() {
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

}  // namespace

const std::vector<Flaw>& backend_flaws() {
    static const std::vector<Flaw> all = [] {
        std::vector<Flaw> list;
        for (const auto& part : {of_the_ring(), of_the_states(), of_the_nodes(), of_requests(), of_features()})
            list.insert(list.end(), part.begin(), part.end());
        return list;
    }();
    return all;
}

}  // namespace xenrig::conformance
