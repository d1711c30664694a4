// The scripts of fixtures/xen-answers/scripts, answered by Xen 4.17 with the bare kernels of tests/interop/real-xen:
// the simulator must give the same lines, so that the comparison needs neither QEMU nor Xen.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "recorded_scripts.h"
#include "sim/hypercalls/generator.h"
#include "sim/hypercalls/interpreter.h"

namespace xenrig::hypercalls {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file.is_open()) << path;
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The first line that differs, with its number, or nothing.
std::string first_difference(const std::string& ours, const std::string& xen) {
    const auto [a, b] = std::ranges::mismatch(ours, xen);
    if (a == ours.end() && b == xen.end()) return {};
    const auto start = static_cast<std::size_t>(a - ours.begin());
    const std::size_t begin = start == 0 ? 0 : ours.rfind('\n', start - 1) + 1;
    const auto line = [&](const std::string& text) { return text.substr(begin, text.find('\n', begin) - begin); };
    return "here: " + line(ours) + "\nXen:  " + line(xen);
}

TEST(RecordedScripts, EachIsAnsweredAsByXen) {
    ASSERT_FALSE(recorded_scripts().empty());
    for (const Recorded& recorded : recorded_scripts()) {
        Tally tally;
        const std::string ours = run_script(contents(recorded.script), &tally, *recorded.kind);
        EXPECT_EQ(first_difference(ours, contents(recorded.answers)), "") << recorded.answers;
        EXPECT_NE(tally.successes, 0u) << recorded.answers;
    }
}

TEST(RecordedScripts, EveryScriptHasItsAnswers) {
    for (const auto& entry : fs::directory_iterator(XENRIG_SOURCE_DIR "/fixtures/xen-answers/scripts")) {
        if (entry.path().extension() != ".ops") continue;
        const auto all = recorded_scripts();
        EXPECT_TRUE(std::ranges::any_of(all, [&](const Recorded& r) { return r.script == entry.path(); }))
            << entry.path();
    }
}

TEST(RecordedScripts, LeaveTheHostsBooksInOrder) {
    for (const Recorded& recorded : recorded_scripts()) {
        Interpreter interpreter(*recorded.kind);
        std::ifstream script(recorded.script);
        for (std::string line; std::getline(script, line);) interpreter.run_line(line);
        EXPECT_EQ(interpreter.scene().host().audit(), "") << recorded.answers;
    }
}

TEST(Generator, GivesTheSameScriptForTheSameSeed) {
    EXPECT_EQ(generate(7, 500), generate(7, 500));
    EXPECT_NE(generate(7, 500), generate(8, 500));
}

TEST(Generator, KnowsEnoughForHalfOfItsHypercallsToSucceedAsAnyKernel) {
    for (const KernelKind& kind : kernel_kinds()) {
        for (const std::uint64_t seed : {3, 4, 5}) {
            Tally tally;
            generate(seed, 3000, &tally, kind);
            EXPECT_GE(tally.operations, 3000u);
            EXPECT_GT(tally.hypercalls * 3, tally.operations) << kind.name << ", seed " << seed;
            EXPECT_GE(tally.successes * 2, tally.hypercalls) << kind.name << ", seed " << seed;
        }
    }
}

TEST(Script, ANumberIsDecimalHexadecimalOrAVariableAndWhatIsNoneIsZero) {
    const auto op = parse_line("gc -1 0x7ff0 $3 junk @2 =1025");
    ASSERT_TRUE(op.has_value());
    EXPECT_EQ(op->name, "gc");
    EXPECT_EQ(op->arguments_given, 5u);
    EXPECT_EQ(op->arguments[0].number, -1);
    EXPECT_EQ(op->arguments[1].number, 0x7ff0);
    EXPECT_EQ(op->arguments[2].kind, ArgumentKind::variable);
    EXPECT_EQ(op->arguments[3].number, 0);
    EXPECT_EQ(op->arguments[4].kind, ArgumentKind::page);
    EXPECT_EQ(op->keep, 1u) << "variables are wrapped";
    EXPECT_FALSE(parse_line("# a comment").has_value());
    EXPECT_FALSE(parse_line("").has_value());
}

TEST(Script, AnUnknownOperationIsAnsweredAndDoesNothing) {
    EXPECT_EQ(run_script("au 0 0 =1\nxyzzy 1 =1\nst 0 $1\n"),
              Interpreter{}.opening() + "1 au rc=0 port=1\n2 xyzzy ?\n3 st rc=0 status=0 vcpu=0\n@@DONE\n");
}

/// What is said from the second-to-last operation on.
std::string last_two_lines(const std::string& answers) {
    const std::size_t end = answers.rfind('\n', answers.size() - 2);
    return answers.substr(answers.rfind('\n', end - 1) + 1);
}

TEST(Script, ThatTakesTheKernelsMemoryAwayEndsWithAFault) {
    // Page 0, through which `prd` looks, is mapped over and unmapped; then the page that hypercalls' structs go
    // through.
    for (const std::string address : {"@0", "0x180000"}) {
        const std::string script = "ge 8 0 1 1\ngm " + address + " 6 8 0 =1\ngu " + address + " $1\nprd 0 0\nau 0 0\n";
        const std::string told = last_two_lines(run_script(script));
        EXPECT_TRUE(told.ends_with(": the kernel's own memory is not mapped\n")) << told;
        EXPECT_EQ(told.find("@@DONE"), std::string::npos) << told;
    }
}

}  // namespace
}  // namespace xenrig::hypercalls
