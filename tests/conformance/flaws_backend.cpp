// Backends that are wrong in one way each, and the checks that each of them fails.
#include "flaws.h"
#include "sim/conformance/stage.h"

namespace xenrig::conformance {

namespace {

using Word = blk::RawRing::Word;

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

}  // namespace

const std::vector<Flaw>& backend_flaws() {
    static const std::vector<Flaw> all = [] {
        std::vector<Flaw> list;
        for (const auto& part :
             {of_the_ring(), of_the_states(), of_the_nodes(), backend_request_flaws(), backend_feature_flaws()})
            list.insert(list.end(), part.begin(), part.end());
        return list;
    }();
    return all;
}

}  // namespace xenrig::conformance
