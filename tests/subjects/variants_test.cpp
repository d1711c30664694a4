// The drivers in C keep every clause, and each of their bugs breaks just the clauses that it breaks.
#include <gtest/gtest.h>

#include "tests/conformance/failing.h"
#include "xenrig/world/subject.h"

namespace xenrig::conformance {
namespace {

struct Variant {
    const char* bug;
    Ids breaks;
};

void PrintTo(const Variant& v, std::ostream* out) { *out << v.bug; }

void expect_failing(const std::string& library, Role role, const Ids& breaks) {
    const auto subjects = world::load_subject(std::string(XENRIG_SUBJECTS) + "/" + library + ".so");
    ASSERT_TRUE(subjects) << subjects.error().to_string();
    std::string told;
    const Ids found = breaks.empty() ? failing_in_full(*subjects, role, told) : failing(*subjects, role, breaks, told);
    EXPECT_EQ(found, breaks) << told;
}

class CBlkfront : public testing::TestWithParam<Variant> {};
class CBlkback : public testing::TestWithParam<Variant> {};

TEST_P(CBlkfront, FailsTheClausesThatItBreaksAndNoOthers) {
    expect_failing(std::string("blkfront_") + GetParam().bug, Role::frontend, GetParam().breaks);
}

TEST_P(CBlkback, FailsTheClausesThatItBreaksAndNoOthers) {
    expect_failing(std::string("blkback_") + GetParam().bug, Role::backend, GetParam().breaks);
}

std::string name_of(const testing::TestParamInfo<Variant>& info) {
    std::string name = info.param.bug;
    std::erase(name, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(
    Variants, CBlkfront,
    testing::ValuesIn(std::vector<Variant>{
        {"NO_BUG", {}},
        {"FRONT_NO_FINAL_CHECK", {"ring.frontend-final-check"}},
        {"FRONT_INDEX_FIRST", {"ring.request-before-index"}},
        {"FRONT_NO_WMB", {"ring.request-before-index"}},
        {"FRONT_NO_MB", {"ring.frontend-meets-sleeping-backend"}},
        {"FRONT_NO_RMB", {"ring.frontend-takes-every-response"}},
        {"FRONT_NO_MB_BEFORE_SLEEP", {"ring.frontend-final-check"}},
        {"FRONT_NEVER_NOTIFIES",
         {"ring.frontend-notifies-when-asked", "ring.frontend-meets-sleeping-backend",
          "blkif.frontend-offers-its-port"}},
        {"FRONT_TRUSTS_RSP_PROD", {"ring.response-overflow-stops-frontend"}},
        {"FRONT_TRUSTS_ID", {"blkif.frontend-ignores-unknown-id"}},
        {"FRONT_MATCHES_BY_ORDER", {"blkif.frontend-matches-by-id", "blkif.frontend-ignores-unknown-id"}},
        {"FRONT_FETCHES_TWICE", {"ring.frontend-copies-response"}},
        {"FRONT_IGNORES_STATUS",
         {"blkif.frontend-survives-unsupported-flush", "blkif.frontend-survives-unsupported-barrier",
          "blkif.frontend-reports-errors"}},
        {"FRONT_OVERFILLS_RING", {"ring.frontend-stays-within-ring"}},
        {"FRONT_RING_NOT_INITIALISED", {"ring.frontend-initialises-ring"}},
        {"FRONT_KEEPS_GRANTS", {"blkif.frontend-grants-for-the-request"}},
        {"FRONT_LAST_SECT_EXCLUSIVE",
         {"blkif.frontend-counts-512", "blkif.frontend-indirect-within-offer", "blkif.frontend-read-returns-data",
          "blkif.frontend-write-hands-over-data", "blkif.frontend-splits-transfers",
          "blkif.frontend-segments-make-sense", "blkif.frontend-uses-only-what-is-offered"}},
        {"FRONT_FLUSHES_UNASKED",
         {"blkif.frontend-uses-only-what-is-offered", "blkif.frontend-flushes-by-barrier",
          "blkif.frontend-reads-features-anew"}},
        {"FRONT_WRITES_READ_ONLY", {"blkif.frontend-writes-no-read-only-disk"}},
        {"FRONT_LEAVES_DISK", {"blkif.frontend-stays-on-disk"}},
        {"FRONT_SECTORS_32_BIT", {"blkif.frontend-takes-64-bit-sectors"}},
        {"FRONT_ANY_SECTOR_SIZE", {"blkif.frontend-refuses-bad-sector-size"}},
        {"FRONT_MISSES_CONNECTED", {"blkif.frontend-takes-connected-backend"}},
        {"FRONT_INITIALISED_TOO_EARLY", {"blkif.frontend-parameters-before-initialised"}},
        {"FRONT_LEAKS_PORT", {"xenbus.closed-frontend-lets-go"}},
    }),
    name_of);

INSTANTIATE_TEST_SUITE_P(Variants, CBlkback,
                         testing::ValuesIn(std::vector<Variant>{
                             {"NO_BUG", {}},
                             {"BACK_NO_FINAL_CHECK", {"ring.backend-final-check"}},
                             {"BACK_NO_WMB", {"ring.response-before-index"}},
                             {"BACK_NO_MB", {"ring.backend-meets-sleeping-frontend"}},
                             {"BACK_NO_RMB", {"ring.backend-takes-every-request"}},
                             {"BACK_NO_MB_BEFORE_SLEEP", {"ring.backend-final-check"}},
                             {"BACK_TRUSTS_REQ_PROD", {"ring.request-overflow-stops-backend"}},
                             {"BACK_FETCHES_TWICE", {"ring.backend-copies-request"}},
                             {"BACK_ANSWERS_TWICE", {"blkif.backend-serves-offered-flush"}},
                             {"BACK_SWALLOWS_UNKNOWN",
                              {"blkif.backend-refuses-unknown-operation", "blkif.backend-honours-discard-enable",
                               "blkif.response-echoes-request"}},
                             {"BACK_IGNORES_READ_ONLY", {"blkif.read-only-disk-refuses-writes"}},
                             {"BACK_END_OVERFLOWS", {"blkif.backend-refuses-beyond-end"}},
                             {"BACK_IGNORES_MAP_ERROR", {"blkif.backend-survives-bad-grant"}},
                             {"BACK_LEAKS_MAPPING", {"blkif.backend-survives-bad-grant"}},
                             {"BACK_KEEPS_RING",
                              {"xenbus.backend-follows-closing-frontend", "xenbus.closed-backend-lets-go",
                               "blkif.backend-releases-persistent-grants"}},
                         }),
                         name_of);

}  // namespace
}  // namespace xenrig::conformance
