// The checks can fail: each flaw fails just the checks that it is said to, and each check has a flaw that fails it.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "failing.h"
#include "flaws.h"
#include "scripted_backend.h"
#include "sim/conformance/checks.h"

namespace xenrig::conformance {
namespace {

struct Case {
    const Flaw* flaw;
    Role role;
};

std::vector<Case> cases() {
    std::vector<Case> all;
    for (const Flaw& flaw : frontend_flaws()) all.push_back({&flaw, Role::frontend});
    for (const Flaw& flaw : backend_flaws()) all.push_back({&flaw, Role::backend});
    return all;
}

class Flaws : public testing::TestWithParam<Case> {};

TEST_P(Flaws, FailsTheChecksOfWhatItBreaksAndNoOthers) {
    const auto& [flaw, role] = GetParam();
    const Subjects own = own_drivers();
    Subjects subjects = tampered(own, flaw->tamper);
    // A check of both ends is to fail by the one that is wrong.
    if (role == Role::frontend)
        subjects.backend = own.backend;
    else
        subjects.frontend = own.frontend;
    std::string told;
    const Ids found = failing(subjects, role, flaw->fails, told);
    EXPECT_EQ(found, flaw->fails) << told;
}

INSTANTIATE_TEST_SUITE_P(Own, Flaws, testing::ValuesIn(cases()),
                         [](const auto& one) { return std::string(name(one.param.role)) + one.param.flaw->name; });

/// Checks that no flaw of ours fails alone, and why.
const std::map<std::string, std::string> kWithoutAFlaw = {
    {"xenbus.backend-waits-in-initwait", "every connection begins with it: who gets it wrong passes no check at all"},
    {"xenbus.frontend-waits-for-initialising-backend",
     "every connection begins with it: who gets it wrong passes no check at all"},
};

TEST(FlawsOfAllChecks, EveryCheckHasAFlawThatFailsIt) {
    Ids failed;
    for (const Case& c : cases()) failed.insert(c.flaw->fails.begin(), c.flaw->fails.end());
    for (const Check& check : checks())
        EXPECT_EQ(failed.contains(check.id), !kWithoutAFlaw.contains(check.id))
            << check.id << (failed.contains(check.id) ? " can be made to fail" : " has no flaw that fails it");
}

TEST(ScriptedBackend, ABackendThatOffersNothingKeepsEveryClause) {
    Subjects subjects = own_drivers();
    subjects.backend = scripted_backend;
    std::string told;
    EXPECT_EQ(failing(subjects, Role::backend, {}, told), Ids{}) << told;
}

}  // namespace
}  // namespace xenrig::conformance
