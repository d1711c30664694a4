// What is no subject is refused with a word that says what to do; what crashes or spins fails the clause that ran.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/conformance/checks.h"
#include "sim/conformance/suite.h"

namespace xenrig::conformance {
namespace {

std::string library(const std::string& name) { return std::string(XENRIG_SUBJECTS) + "/" + name + ".so"; }

void refused(const std::string& path, const std::string& words) {
    const auto loaded = world::load_subject(path);
    ASSERT_FALSE(loaded.has_value()) << path;
    EXPECT_NE(loaded.error().message.find(words), std::string::npos) << loaded.error().message;
}

/// The outcome of a check that every frontend is started in.
CheckResult started(const std::string& name, unsigned seconds_max) {
    const auto subjects = world::load_subject(library(name));
    EXPECT_TRUE(subjects.has_value()) << subjects.error().message;
    const auto checks = checks_against(*subjects);
    const auto check = std::ranges::find(checks, "blkif.frontend-writes-decimal", &Check::id);
    CheckResult result = run_apart(*check, seconds_max);
    result.check = nullptr;
    return result;
}

TEST(LoadSubject, AFileThatIsNotThereIsNamed) { refused(library("nobody"), "there is no such file"); }

TEST(LoadSubject, AFileThatIsNoLibraryCantBeLoaded) {
    refused(std::string(XENRIG_SOURCE_DIR) + "/README.md", "can't be loaded");
}

TEST(LoadSubject, ALibraryWithoutTheSymbolIsToldHowToExportIt) {
    refused(library("bad_NO_SYMBOL"), "exports no symbol 'xenrig_subject'");
}

TEST(LoadSubject, AnotherVersionOfTheInterfaceIsRefused) {
    refused(library("bad_ABI"), "built for version 999 of the C interface, and this Xenrig has version 1");
}

TEST(LoadSubject, ATableThatIsTooSmallIsRefused) { refused(library("bad_SIZE"), "xenrig_blkfront.size is 8"); }

TEST(LoadSubject, ASubjectWithoutARoleIsRefused) {
    refused(library("bad_NO_ROLE"), "names neither a blkfront nor a blkback");
}

TEST(LoadSubject, ACallThatIsMissingIsNamed) { refused(library("bad_NO_CALL"), "xenrig_blkfront.flush is NULL"); }

TEST(LoadSubject, ASubjectThatCrashesFailsTheClauseThatWasChecked) {
    const CheckResult result = started("bad_CRASH", 60);
    EXPECT_EQ(result.outcome, Outcome::failure);
#ifndef XENRIG_ASAN
    EXPECT_NE(result.text.find("died of signal 6"), std::string::npos) << result.text;
#endif
}

TEST(LoadSubject, ASubjectThatSpinsFailsTheClauseThatWasChecked) {
    const CheckResult result = started("bad_SPIN", 1);
    EXPECT_EQ(result.outcome, Outcome::failure);
    EXPECT_NE(result.text.find("spun"), std::string::npos) << result.text;
}

TEST(LoadSubject, ABackendAloneIsCheckedAsABackendAlone) {
    const auto subjects = world::load_subject(library("blkback_NO_BUG"));
    ASSERT_TRUE(subjects.has_value());
    for (const Check& check : checks_against(*subjects)) EXPECT_NE(check.subject, Role::frontend) << check.id;
}

}  // namespace
}  // namespace xenrig::conformance
