// Frontends that are wrong in one way each, and the checks that each of them fails.
#include <deque>
#include <map>
#include <memory>

#include "flaws.h"

namespace xenrig::conformance {

namespace {

using Word = blk::RawRing::Word;

auto takes_as(std::uint8_t operation, std::int16_t was, std::int16_t status) {
    return [=](blkif_response_t& r) {
        if (r.operation == operation && r.status == was) r.status = status;
    };
}

/// A number of the backend's is taken for one more.
auto reads_one_more(std::string node) {
    return [=](const std::string& name, Tamper::Text is, bool) {
        if (name != node || !is) return is;
        return Tamper::Text(std::to_string(std::strtoul(is->c_str(), nullptr, 10) + 1));
    };
}

/// An id that is in flight: the oldest.
struct InFlight {
    std::deque<std::uint64_t> ids;
    void put(const blkif_request_t& r) { ids.push_back(r.id); }
};

std::vector<Flaw> of_the_ring() {
    return {
        {"CountsRequestsTo96AndBeginsAgain",
         [] {
             return Tamper{.stores_word = [](const Words&, Word w, std::uint32_t n) {
                 return std::optional(w == Word::req_prod ? n % 96 : n);
             }};
         },
         {"blkif.frontend-ring-within-offer", "ring.frontend-counter-runs-freely"}},
        {"PutsTheSeventhRequestWrong",
         [] {
             const auto n = std::make_shared<unsigned>(0);
             return Tamper{.puts_request = [n](blkif_request_t& r) {
                 if (++*n == 7) r.sector_number ^= 1;
             }};
         },
         {"blkif.frontend-indirect-within-offer", "blkif.frontend-queues-within-offer",
          "blkif.frontend-ring-within-offer", "blkif.frontend-segments-make-sense", "blkif.frontend-splits-transfers",
          "ring.frontend-asks-before-sleep", "ring.frontend-counter-runs-freely", "ring.frontend-slots",
          "ring.frontend-stays-within-ring", "ring.frontend-takes-every-response"}},
        {"ClaimsOneRequestMoreOfAFullRing",
         [] {
             return Tamper{.stores_word = [](const Words& words, Word w, std::uint32_t n) {
                 return std::optional(w == Word::req_prod && n - words.rsp_prod == words.size ? n + 1 : n);
             }};
         },
         {"blkif.frontend-queues-are-independent", "blkif.frontend-ring-within-offer",
          "ring.frontend-stays-within-ring", "ring.frontend-takes-every-response"}},
        {"MakesARingThatAsksForNoEvent",
         [] {
             // What it stores when it goes to sleep for the first time is right again.
             const auto made = std::make_shared<bool>(false);
             return Tamper{.stores_word = [made](const Words&, Word w, std::uint32_t n) {
                 return std::optional(w == Word::rsp_event && !std::exchange(*made, true) ? 0 : n);
             }};
         },
         {"ring.frontend-initialises-ring"}},
        {"LeavesTheLastOfAFullRing",
         [] {
             const auto left = std::make_shared<std::uint32_t>(0);
             return Tamper{.loads_word = [left](const Words& words, Word w, std::uint32_t n) {
                 if (w != Word::rsp_prod || n == 0) return n;
                 if (n - (words.rsp_event - 1) == words.size) *left = n;
                 return n == *left ? n - 1 : n;
             }};
         },
         {"blkif.frontend-queues-are-independent", "blkif.frontend-ring-within-offer",
          "ring.frontend-takes-every-response"}},
        {"CutsAnImpossibleClaimToWhatIsInFlight",
         [] {
             return Tamper{.loads_word = [](const Words& words, Word w, std::uint32_t n) {
                 return w == Word::rsp_prod && n > words.req_prod ? words.req_prod : n;
             }};
         },
         {"blkif.broken-queue-stops-frontend", "ring.response-overflow-stops-frontend"}},
        {"FetchesAResponseTwice", [] { return Tamper{.fetches_twice = true}; }, {"ring.frontend-copies-response"}},
        {"LeavesOutTheWriteBarrier",
         [] { return Tamper{.without_write_barrier = true}; },
         {"ring.request-before-index"}},
        {"LeavesOutTheReadBarrier",
         [] { return Tamper{.without_read_barrier = true}; },
         {"ring.frontend-takes-every-response"}},
        {"LeavesOutTheBarrierAfterItsIndex",
         [] { return Tamper{.without_barrier_after = {Word::req_prod}}; },
         {"ring.frontend-meets-sleeping-backend"}},
        {"LeavesOutTheBarrierBeforeItsLastLook",
         [] { return Tamper{.without_barrier_after = {Word::rsp_event}}; },
         {"ring.frontend-final-check"}},
        {"PublishesTheIndexFirst", [] { return Tamper{.index_first = true}; }, {"ring.request-before-index"}},
        {"NeverSendsAnEvent",
         [] { return Tamper{.without_event = [] { return true; }}; },
         {"blkif.frontend-offers-its-port", "ring.frontend-meets-sleeping-backend",
          "ring.frontend-notifies-when-asked"}},
        {"LooksAtTheRingOnceForEachEvent",
         [] {
             const auto looked = std::make_shared<bool>(false);
             const auto seen = std::make_shared<std::uint32_t>(0);
             return Tamper{.loads_word =
                               [=](const Words&, Word w, std::uint32_t n) {
                                   if (w != Word::rsp_prod) return n;
                                   if (*seen == n || std::exchange(*looked, true)) return *seen;
                                   return *seen = n;
                               },
                           .deaf = [=] { return *looked = false; }};
         },
         {"ring.frontend-final-check"}},
        {"AsksForTheEventAfterTheNextOnceTheRingWasFull",
         [] {
             return Tamper{.stores_word = [](const Words&, Word w, std::uint32_t n) {
                 return std::optional(w == Word::rsp_event && n > 33 ? n + 1 : n);
             }};
         },
         {"blkif.frontend-segments-make-sense", "ring.frontend-asks-before-sleep", "ring.frontend-counter-runs-freely",
          "ring.frontend-final-check", "ring.frontend-stays-within-ring"}},
        {"LooksAtTheSecondQueueWhenTheFirstIsServed",
         [] {
             const auto first = std::make_shared<std::uint32_t>(0);
             return Tamper{.loads_word = [first](const Words& words, Word w, std::uint32_t n) {
                 if (w != Word::rsp_prod) return n;
                 if (words.number == 0) *first = n;
                 return words.number == 1 && *first == 0 ? 0 : n;
             }};
         },
         {"blkif.frontend-queues-are-independent"}},
    };
}

std::vector<Flaw> of_the_states() {
    return {
        {"WritesClosingAsTwoDigits",
         [] { return Tamper{.writes = writes_state_as("5", "05")}; },
         {"xenbus.frontend-closes-on-unplug", "xenbus.states-are-numbers"}},
        {"TakesABackendWithoutAStateForClosing",
         [] { return Tamper{.reads = reads_state_as("", "5")}; },
         {"xenbus.frontend-waits-without-peer-state"}},
        {"WritesConnectedForInitialised",
         [] { return Tamper{.writes = writes_state_as("3", "4")}; },
         {"blkif.frontend-connects-after-backend", "xenbus.frontend-closes-on-error",
          "xenbus.frontend-waits-in-initialised"}},
        {"NeverSeesABackendClosing",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool own) {
                 return name == "state" && !own && (is == "5" || is == "6") ? Tamper::Text("4") : is;
             }};
         },
         {"blkif.frontend-ends-persistent-grants", "xenbus.closed-frontend-lets-go",
          "xenbus.frontend-closes-on-unplug"}},
        {"KeepsItsRingGranted", [] { return Tamper{.never_ends = {Of::ring}}; }, {"xenbus.closed-frontend-lets-go"}},
        {"KeepsItsPort", [] { return Tamper{.never_closes_port = true}; }, {"xenbus.closed-frontend-lets-go"}},
        {"TakesReconfiguringForClosing",
         [] { return Tamper{.reads = reads_state_as("7", "5")}; },
         {"xenbus.frontend-ignores-reconfiguring"}},
        {"IgnoresABackendThatSkipsInitWait",
         [] { return Tamper{.reads = reads_state_as("3", "1")}; },
         {"blkif.frontend-takes-initialised-backend"}},
        {"IgnoresABackendThatIsConnectedAlready",
         [] {
             const auto published = std::make_shared<bool>(false);
             return Tamper{.reads =
                               [published](const std::string& name, Tamper::Text is, bool own) {
                                   return name == "state" && !own && is == "4" && !*published ? Tamper::Text("1") : is;
                               },
                           .writes =
                               [published](const std::string& name, std::string value) {
                                   if (name == "state") *published = value == "3" || value == "4";
                                   return Tamper::Text(value);
                               }};
         },
         {"blkif.frontend-takes-connected-backend"}},
        {"PublishesALargeRingWithoutWaiting",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool own) {
                 if (name == "state" && !own && is == "1") return Tamper::Text("2");
                 return name == "max-ring-page-order" && !is ? Tamper::Text("1") : is;
             }};
         },
         {"blkif.frontend-early-means-defaults", "blkif.frontend-grants-its-ring",
          "blkif.frontend-parameters-before-initialised", "blkif.frontend-ring-within-offer",
          "blkif.frontend-writes-decimal", "ring.frontend-stays-within-ring", "xenbus.closed-frontend-lets-go"}},
    };
}

std::vector<Flaw> of_the_nodes() {
    return {
        {"WritesARingRefWithAZeroBefore",
         [] {
             return Tamper{.writes = [](const std::string& name, std::string value) {
                 return Tamper::Text(name == "ring-ref" ? "0" + value : value);
             }};
         },
         {"blkif.frontend-writes-decimal"}},
        {"TakesSectorsFor32Bits",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool) {
                 return name == "sectors" && is == std::to_string(1ull << 33) ? Tamper::Text("0") : is;
             }};
         },
         {"blkif.frontend-takes-64-bit-sectors"}},
        {"TakesPhysicalSectorsFor4096",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool) {
                 return name == "physical-sector-size" && !is ? Tamper::Text("4096") : is;
             }};
         },
         {"blkif.frontend-takes-defaults"}},
        {"LooksAtTheMode", [] { return Tamper{.also_reads = "mode"}; }, {"blkif.frontend-leaves-private-nodes"}},
        {"TakesAnySectorSizeFor512",
         [] { return Tamper{.reads = reads_as("sector-size", "512")}; },
         {"blkif.frontend-counts-512", "blkif.frontend-refuses-bad-sector-size"}},
        {"TakesAnySizeForANumber",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool) {
                 return name == "sectors" && is == "many" ? Tamper::Text("2048") : is;
             }};
         },
         {"xenbus.frontend-closes-on-error"}},
        {"TakesTheDiskForLarger",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool) {
                 return name == "sectors" && is == "16" ? Tamper::Text("17") : is;
             }};
         },
         {"blkif.frontend-stays-on-disk"}},
        {"NamesAnotherLayout",
         [] { return Tamper{.writes = writes_as("protocol", "x86_32-abi")}; },
         {"blkif.frontend-names-its-layout"}},
        {"WritesThePortAfterInitialised",
         [] { return Tamper{.late = {"event-channel"}}; },
         {"blkif.frontend-parameters-before-initialised"}},
        {"IgnoresReadOnly",
         [] { return Tamper{.reads = reads_as("info", "0")}; },
         {"blkif.frontend-writes-no-read-only-disk"}},
        {"RemembersWhatWasOfferedOnce",
         [] {
             const auto once = std::make_shared<std::map<std::string, std::string>>();
             return Tamper{.reads = [once](const std::string& name, Tamper::Text is, bool) {
                 if (!name.starts_with("feature-")) return is;
                 if (is) (*once)[name] = *is;
                 const auto known = once->find(name);
                 return known == once->end() ? is : Tamper::Text(known->second);
             }};
         },
         {"blkif.frontend-reads-features-anew"}},
        {"TakesARemovableDiskForReadOnly",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool) {
                 return name == "info" && is == "2" ? Tamper::Text("6") : is;
             }};
         },
         {"blkif.frontend-takes-any-kind"}},
        {"FlushesUnasked",
         [] { return Tamper{.reads = reads_as("feature-flush-cache", "1")}; },
         {"blkif.frontend-reads-features-anew", "blkif.frontend-flushes-by-barrier",
          "blkif.frontend-survives-unsupported-barrier", "blkif.frontend-uses-only-what-is-offered"}},
        {"DiscardsUnasked",
         [] { return Tamper{.reads = reads_as("feature-discard", "1")}; },
         {"blkif.frontend-reads-features-anew", "blkif.frontend-uses-only-what-is-offered"}},
        {"DiscardsSecurelyUnasked",
         [] { return Tamper{.reads = reads_as("discard-secure", "1")}; },
         {"blkif.frontend-secure-only-where-offered"}},
        {"ListsOneSegmentMoreThanIsOffered",
         [] { return Tamper{.reads = reads_one_more("feature-max-indirect-segments")}; },
         {"blkif.frontend-indirect-within-offer"}},
        {"MakesALargerRingThanIsOffered",
         [] { return Tamper{.reads = reads_one_more("max-ring-page-order")}; },
         {"blkif.frontend-ring-within-offer"}},
        {"UsesMoreQueuesThanAreOffered",
         [] {
             return Tamper{.reads = [](const std::string& name, Tamper::Text is, bool) {
                 return name == "multi-queue-max-queues" && is ? Tamper::Text("2") : is;
             }};
         },
         {"blkif.frontend-queues-within-offer"}},
        {"SaysPersistentAndIsNot",
         [] { return Tamper{.reads = reads_as("feature-persistent", "0")}; },
         {"blkif.frontend-persistent-grants-in-lifo", "blkif.frontend-reuses-persistent-grants"}},
        {"SaysPersistentAndNeverUsesAGrantAgain",
         [] { return Tamper{.reads = reads_as("feature-persistent", "0"), .never_ends = {Of::data}}; },
         {"blkif.frontend-ends-list-grants", "blkif.frontend-ends-persistent-grants",
          "blkif.frontend-grants-for-the-request", "blkif.frontend-persistent-grants-in-lifo",
          "blkif.frontend-reuses-persistent-grants"}},
    };
}

std::vector<Flaw> of_requests() {
    return {
        {"TakesAnUnsupportedFlushForDone",
         [] {
             return Tamper{.takes_response = takes_as(BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_EOPNOTSUPP, BLKIF_RSP_OKAY)};
         },
         {"blkif.frontend-survives-unsupported-flush"}},
        {"TakesAnUnsupportedBarrierForDone",
         [] {
             return Tamper{.takes_response = takes_as(BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_EOPNOTSUPP, BLKIF_RSP_OKAY)};
         },
         {"blkif.frontend-survives-unsupported-barrier"}},
        {"TakesAnUnsupportedDiscardForDone",
         [] { return Tamper{.takes_response = takes_as(BLKIF_OP_DISCARD, BLKIF_RSP_EOPNOTSUPP, BLKIF_RSP_OKAY)}; },
         {"blkif.frontend-survives-unsupported-discard"}},
        {"SwapsTheFirstTwoSegments",
         [] {
             return Tamper{.puts_request = [](blkif_request_t& r) {
                 if (r.operation == BLKIF_OP_READ && r.nr_segments > 1) std::swap(r.seg[0], r.seg[1]);
             }};
         },
         {"blkif.frontend-counts-512", "blkif.frontend-indirect-within-offer", "blkif.frontend-read-returns-data",
          "blkif.frontend-segments-make-sense", "blkif.frontend-splits-transfers"}},
        {"WritesAWrongByte",
         [] {
             return Tamper{.asked = [](UserTransfer& t) {
                 if (t.write) t.data[3] ^= std::byte{1};
             }};
         },
         {"blkif.frontend-indirect-within-offer", "blkif.frontend-splits-transfers",
          "blkif.frontend-write-hands-over-data"}},
        {"SendsAFlushWithASegment",
         [] {
             return Tamper{.puts_request = [](blkif_request_t& r) {
                 if (r.operation == BLKIF_OP_FLUSH_DISKCACHE || r.operation == BLKIF_OP_WRITE_BARRIER)
                     r.nr_segments = 1;
             }};
         },
         {"blkif.frontend-flush-follows-writes", "blkif.frontend-flushes-by-barrier"}},
        {"ForgetsTheEleventhSegment",
         [] {
             return Tamper{.puts_request = [](blkif_request_t& r) {
                 if (r.operation <= BLKIF_OP_WRITE && r.nr_segments == 11) r.nr_segments = 10;
             }};
         },
         {"blkif.frontend-indirect-within-offer", "blkif.frontend-read-returns-data",
          "blkif.frontend-segments-make-sense", "blkif.frontend-splits-transfers",
          "blkif.frontend-write-hands-over-data"}},
        {"KeepsPagesGranted",
         [] { return Tamper{.never_ends = {Of::data}}; },
         {"blkif.frontend-ends-list-grants", "blkif.frontend-ends-persistent-grants",
          "blkif.frontend-grants-for-the-request"}},
        {"EndsASegmentBehindThePage",
         [] {
             return Tamper{.puts_request = [](blkif_request_t& r) {
                 if (r.operation <= BLKIF_OP_WRITE && r.seg[0].first_sect != 0 && r.seg[0].last_sect == 7)
                     r.seg[0].last_sect = 8;
             }};
         },
         {"blkif.frontend-segments-make-sense"}},
        {"TakesResponsesInTheOrderOfRequests",
         [] {
             const auto sent = std::make_shared<InFlight>();
             return Tamper{.puts_request = [sent](blkif_request_t& r) { sent->put(r); },
                           .takes_response =
                               [sent](blkif_response_t& r) {
                                   if (sent->ids.empty()) return;
                                   r.id = sent->ids.front();
                                   sent->ids.pop_front();
                               }};
         },
         {"blkif.frontend-ignores-unknown-id", "blkif.frontend-matches-by-id"}},
        {"TakesAnyStatusForOkay",
         [] { return Tamper{.takes_response = [](blkif_response_t& r) { r.status = 0; }}; },
         {"blkif.frontend-reports-errors", "blkif.frontend-survives-unsupported-barrier",
          "blkif.frontend-survives-unsupported-discard", "blkif.frontend-survives-unsupported-flush"}},
        {"TakesAFailureForOkay",
         [] { return Tamper{.takes_response = takes_as(BLKIF_OP_READ, -77, BLKIF_RSP_OKAY)}; },
         {"blkif.frontend-reports-errors"}},
        {"DiscardsTheNextSector",
         [] {
             return Tamper{.puts_request = [](blkif_request_t& r) {
                 if (r.operation == BLKIF_OP_DISCARD) ++r.sector_number;
             }};
         },
         {"blkif.frontend-discards"}},
        {"WantsReadForAnAnswer",
         [] {
             return Tamper{.takes_response = [](blkif_response_t& r) {
                 if (r.operation == BLKIF_OP_INDIRECT) r.operation = BLKIF_OP_RESERVED_1;
             }};
         },
         {"blkif.frontend-ends-list-grants", "blkif.frontend-indirect-within-offer",
          "blkif.frontend-takes-either-indirect-answer"}},
    };
}

}  // namespace

const std::vector<Flaw>& frontend_flaws() {
    static const std::vector<Flaw> all = [] {
        std::vector<Flaw> list;
        for (const auto& part : {of_the_ring(), of_the_states(), of_the_nodes(), of_requests()})
            list.insert(list.end(), part.begin(), part.end());
        return list;
    }();
    return all;
}

}  // namespace xenrig::conformance
