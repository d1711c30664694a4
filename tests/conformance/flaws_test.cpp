// The checks can fail: a backend that is right passes all of them, and each flaw fails just the clauses that it breaks.
#include <gtest/gtest.h>

#include <set>

#include "scripted_backend.h"
#include "sim/conformance/checks.h"

namespace xenrig::conformance {
namespace {

using Ids = std::set<std::string>;

/// The backend checks that do not succeed.
Ids failing(BackendFlaw flaw, std::string& told) {
    Subjects subjects = own_drivers();
    subjects.backend = [flaw](Platform& platform, blk::StorageFactory storage) {
        return scripted_backend(platform, std::move(storage), flaw);
    };
    Ids ids;
    for (const auto& part : {ring_checks(subjects), xenbus_checks(subjects), blkif_checks(subjects)})
        for (const Check& check : part) {
            if (check.subject == Role::frontend) continue;
            Verdict verdict;
            check.run(verdict);
            if (verdict.outcome() == Outcome::success || verdict.outcome() == Outcome::skip) continue;
            ids.insert(check.id);
            told += check.id + ": " + verdict.text() + "\n";
        }
    return ids;
}

void breaks(BackendFlaw flaw, const Ids& expected) {
    std::string told;
    const Ids found = failing(flaw, told);
    EXPECT_EQ(found, expected) << told;
}

TEST(BackendFlaws, ABackendWithoutAFlawPassesEveryCheck) { breaks(BackendFlaw::none, {}); }

TEST(BackendFlaws, SleepingWithoutTheFinalCheckIsFound) {
    breaks(BackendFlaw::skips_final_check, {"ring.backend-final-check"});
}

TEST(BackendFlaws, AnIndexBeforeItsResponseIsFound) {
    breaks(BackendFlaw::index_before_response, {"ring.response-before-index"});
}

TEST(BackendFlaws, EventsThatNeverComeAreFound) {
    breaks(BackendFlaw::never_notifies, {"ring.backend-notifies-when-asked", "ring.backend-meets-sleeping-frontend"});
}

TEST(BackendFlaws, TrustInReqProdIsFound) {
    breaks(BackendFlaw::trusts_req_prod, {"ring.request-overflow-stops-backend"});
}

TEST(BackendFlaws, FetchingARequestTwiceIsFound) {
    breaks(BackendFlaw::fetches_request_twice, {"ring.backend-copies-request"});
}

TEST(BackendFlaws, AnsweringAFlushTwiceIsFound) {
    breaks(BackendFlaw::answers_twice, {"blkif.backend-serves-offered-flush"});
}

TEST(BackendFlaws, WritingAReadOnlyDiskIsFound) {
    breaks(BackendFlaw::ignores_read_only, {"blkif.read-only-disk-refuses-writes"});
}

TEST(BackendFlaws, TrustInSegmentsIsFound) {
    breaks(BackendFlaw::trusts_segments, {"blkif.backend-refuses-segment-range"});
}

TEST(BackendFlaws, TrustInTheSectorNumberIsFound) {
    breaks(BackendFlaw::trusts_sector_number, {"blkif.backend-refuses-beyond-end", "blkif.backend-takes-empty-disk"});
}

TEST(BackendFlaws, AFlushThatIsALieIsFound) {
    breaks(BackendFlaw::flush_is_a_lie, {"blkif.flush-makes-writes-durable"});
}

TEST(BackendFlaws, PagesThatStayMappedAreFound) {
    breaks(BackendFlaw::keeps_pages_mapped,
           {"blkif.backend-unmaps-before-response", "blkif.backend-survives-bad-grant"});
}

TEST(BackendFlaws, ConnectedBeforeThePropertiesIsFound) {
    breaks(BackendFlaw::connected_too_early, {"blkif.backend-properties-before-connected"});
}

TEST(BackendFlaws, TakingAnyLayoutIsFound) {
    breaks(BackendFlaw::ignores_protocol, {"blkif.backend-refuses-unknown-layout", "blkif.backend-serves-i386"});
}

TEST(BackendFlaws, ARingKeptBeyondClosedIsFound) {
    breaks(BackendFlaw::keeps_ring_when_closed,
           {"xenbus.closed-backend-lets-go", "xenbus.backend-follows-closing-frontend",
            "blkif.backend-releases-persistent-grants"});
}

}  // namespace
}  // namespace xenrig::conformance
