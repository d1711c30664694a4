// Xenrig's own drivers keep every clause that is checked.
#include <gtest/gtest.h>

#include <sstream>

#include "sim/conformance/suite.h"

namespace xenrig::conformance {
namespace {

TEST(Conformance, OwnDriversKeepEveryClause) {
    for (const Check& check : checks()) {
        Verdict verdict;
        check.run(verdict);
        EXPECT_TRUE(verdict.outcome() == Outcome::success || verdict.outcome() == Outcome::skip)
            << check.id << ": " << name(verdict.outcome()) << ": " << verdict.text();
    }
}

}  // namespace
}  // namespace xenrig::conformance
