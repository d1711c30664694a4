// The drivers in C keep every clause, and each of their bugs breaks just the clauses that it breaks.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sim/conformance/checks.h"

namespace xenrig::conformance {
namespace {

using Ids = std::set<std::string>;

struct Variant {
    const char* bug;
    Ids breaks;
};

void PrintTo(const Variant& v, std::ostream* out) { *out << v.bug; }

/// The checks that do not succeed, of all that the library has the role for.
Ids failing(const std::string& library, std::string& told) {
    const auto subjects = world::load_subject(std::string(XENRIG_SUBJECTS) + "/" + library + ".so");
    if (!subjects) {
        told = subjects.error().to_string();
        return {"the library can't be loaded"};
    }
    Ids ids;
    for (const auto& part : {ring_checks(*subjects), xenbus_checks(*subjects), blkif_checks(*subjects)})
        for (const Check& check : part) {
            Verdict verdict;
            check.run(verdict);
            if (verdict.outcome() == Outcome::success || verdict.outcome() == Outcome::skip) continue;
            ids.insert(check.id);
            told += check.id + ": " + verdict.text() + "\n";
        }
    return ids;
}

class CBlkfront : public testing::TestWithParam<Variant> {};
class CBlkback : public testing::TestWithParam<Variant> {};

TEST_P(CBlkfront, FailsTheClausesThatItBreaksAndNoOthers) {
    std::string told;
    EXPECT_EQ(failing(std::string("blkfront_") + GetParam().bug, told), GetParam().breaks) << told;
}

TEST_P(CBlkback, FailsTheClausesThatItBreaksAndNoOthers) {
    std::string told;
    EXPECT_EQ(failing(std::string("blkback_") + GetParam().bug, told), GetParam().breaks) << told;
}

std::string name_of(const testing::TestParamInfo<Variant>& info) {
    std::string name = info.param.bug;
    std::erase(name, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Variants, CBlkfront,
                         testing::ValuesIn(std::vector<Variant>{
                             {"NO_BUG", {}},{"FRONT_NO_FINAL_CHECK", {}},{"FRONT_NO_WMB", {}},{"FRONT_NO_MB", {}},{"FRONT_NEVER_NOTIFIES", {}},{"FRONT_TRUSTS_RSP_PROD", {}},{"FRONT_TRUSTS_ID", {}},{"FRONT_MATCHES_BY_ORDER", {}},{"FRONT_FETCHES_TWICE", {}},{"FRONT_IGNORES_STATUS", {}},{"FRONT_OVERFILLS_RING", {}},{"FRONT_RING_NOT_INITIALISED", {}},{"FRONT_KEEPS_GRANTS", {}},{"FRONT_LAST_SECT_EXCLUSIVE", {}},{"FRONT_FLUSHES_UNASKED", {}},{"FRONT_WRITES_READ_ONLY", {}},{"FRONT_LEAVES_DISK", {}},{"FRONT_SECTORS_32_BIT", {}},{"FRONT_ANY_SECTOR_SIZE", {}},{"FRONT_MISSES_CONNECTED", {}},{"FRONT_INITIALISED_TOO_EARLY", {}},{"FRONT_LEAKS_PORT", {}},
                         }),
                         name_of);

INSTANTIATE_TEST_SUITE_P(Variants, CBlkback,
                         testing::ValuesIn(std::vector<Variant>{
                             {"NO_BUG", {}},{"BACK_NO_FINAL_CHECK", {}},{"BACK_NO_WMB", {}},{"BACK_NEVER_NOTIFIES", {}},{"BACK_TRUSTS_REQ_PROD", {}},{"BACK_FETCHES_TWICE", {}},{"BACK_ANSWERS_TWICE", {}},{"BACK_SWALLOWS_UNKNOWN", {}},{"BACK_LOSES_ID", {}},{"BACK_IGNORES_READ_ONLY", {}},{"BACK_TRUSTS_SEGMENTS", {}},{"BACK_END_OVERFLOWS", {}},{"BACK_IGNORES_MAP_ERROR", {}},{"BACK_LEAKS_MAPPING", {}},{"BACK_FLUSH_IS_A_LIE", {}},{"BACK_CONNECTED_TOO_EARLY", {}},{"BACK_ANY_LAYOUT", {}},{"BACK_KEEPS_RING", {}},{"BACK_CLOSES_FOR_GOOD", {}},
                         }),
                         name_of);

}  // namespace
}  // namespace xenrig::conformance
