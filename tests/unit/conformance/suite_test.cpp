// The conformance suite's own rules: outcomes, selection, exit codes, and reports that their readers can parse.
#include "sim/conformance/suite.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace xenrig::conformance {
namespace {

Check check_of(std::string id, std::function<void(Verdict&)> body) {
    return {std::move(id), "xen/io/ring.h", 42, Role::backend, "the clause", std::move(body)};
}

const std::vector<Check> kAll{
    check_of("ring.good", [](Verdict& v) { v.expect(true, "holds"); }),
    check_of("ring.bad",
             [](Verdict& v) {
                 v.token("x1.t.0.b.A");
                 v.expect(1 + 1 == 3, "one response a request", [] { return "2 < 3 \"responses\""; });
                 v.expect(false, "a later one does not count");
             }),
    check_of("blkif.empty", [](Verdict&) {}),
    check_of("blkif.skipped", [](Verdict& v) { v.skip("no flush here"); }),
};

Report run_all(const Selection& s) {
    return run(select(kAll, s).value(), [](const CheckResult&) {});
}

TEST(ConformanceSuite, TellsTheFourOutcomesApartAndACheckThatExpectsNothingIsAnError) {
    const Report r = run_all({});
    ASSERT_EQ(r.results.size(), 4u);
    EXPECT_EQ(r.results[0].outcome, Outcome::success);
    EXPECT_EQ(r.results[1].outcome, Outcome::failure);
    EXPECT_EQ(r.results[1].text, "one response a request\n  seen: 2 < 3 \"responses\"");
    EXPECT_EQ(r.results[2].outcome, Outcome::error);
    EXPECT_EQ(r.results[3].outcome, Outcome::skip);
}

TEST(ConformanceSuite, ExitsWithZeroOneForAFailureAndTwoForAnError) {
    EXPECT_EQ(run_all({.filter = "ring.good"}).exit_code(), 0);
    EXPECT_EQ(run_all({.filter = "*skip*"}).exit_code(), 0);
    EXPECT_EQ(run_all({.protocol = "ring"}).exit_code(), 1);
    EXPECT_EQ(run_all({}).exit_code(), 2);
}

TEST(ConformanceSuite, AnEmptySelectionIsAnErrorThatNamesWhatThereIs) {
    EXPECT_NE(select(kAll, {.protocol = "netif"}).error().message.find("there are: blkif ring"), std::string::npos);
    EXPECT_NE(select(kAll, {.filter = "ring.nothing"}).error().message.find("ring.nothing"), std::string::npos);
}

TEST(ConformanceSuite, GlobsMatchStarsAndQuestionMarks) {
    EXPECT_TRUE(glob_matches("*", ""));
    EXPECT_TRUE(glob_matches("blkif.*-data", "blkif.read-returns-data"));
    EXPECT_TRUE(glob_matches("r?ng.*", "ring.x"));
    EXPECT_FALSE(glob_matches("ring", "ring.x"));
    EXPECT_FALSE(glob_matches("?", ""));
}

TEST(ConformanceSuite, WritesJsonThatHoldsEachCheckAndTheCounts) {
    std::ostringstream out;
    write_json(out, run_all({}));
    const auto json = nlohmann::json::parse(out.str());
    EXPECT_EQ(json["checks"].size(), 4u);
    EXPECT_EQ(json["checks"][1]["token"], "x1.t.0.b.A");
    EXPECT_EQ(json["failure"], 1);
    EXPECT_EQ(json["error"], 1);
}

TEST(ConformanceSuite, WritesJUnitWithOneSuiteAProtocolAndEscapesWhatXmlForbids) {
    std::ostringstream out;
    write_junit(out, run_all({}));
    const std::string xml = out.str();
    EXPECT_NE(xml.find("tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\""), std::string::npos);
    EXPECT_NE(xml.find("<testsuite name=\"blkif\" tests=\"2\""), std::string::npos);
    EXPECT_NE(xml.find("2 &lt; 3 &quot;responses&quot;"), std::string::npos);
    EXPECT_EQ(xml.find("2 < 3"), std::string::npos);
}

TEST(ConformanceSuite, AFailureIsPrintedWithItsClauseWhatWasSeenAndHowToReplayIt) {
    std::ostringstream out;
    print(out, run_all({.filter = "ring.bad"}).results[0]);
    EXPECT_EQ(out.str(),
              "failure  ring.bad\n"
              "  xen/io/ring.h:42: the clause\n"
              "  one response a request\n"
              "    seen: 2 < 3 \"responses\"\n"
              "  replay: xenrig replay x1.t.0.b.A\n");
}

}  // namespace
}  // namespace xenrig::conformance
