// A check's stage without a suite: own drivers against a scripted peer, and what the stage finds is the test's failure.
#pragma once

#include <gtest/gtest.h>

#include <optional>

#include "sim/conformance/moves.h"
#include "sim/conformance/stage.h"

namespace xenrig::blk::test {

using conformance::Role;
using conformance::Stage;

inline void play(Role subject, const std::function<void(Stage&)>& script, conformance::Conditions conditions = {}) {
    conformance::Verdict verdict;
    const auto subjects = conformance::own_drivers();
    Stage(verdict, subjects, subject, conditions).play(script);
    EXPECT_EQ(verdict.outcome(), conformance::Outcome::success) << verdict.text();
}

/// The same from a few seeds, and with the mildest choices.
inline void play_often(Role subject, const std::function<void(Stage&)>& script) {
    play(subject, script);
    for (std::uint64_t seed = 0; seed < 8; ++seed) play(subject, script, {.seed = seed});
}

/// Counts changes of a node as a watch tells them; the first is the watch's own.
struct Watched {
    Watched(Platform& platform, const std::string& path) {
        auto set = platform.store().watch(path, [n = count](const std::string&) { ++*n; });
        EXPECT_TRUE(set) << path;
        if (set) watch = std::move(*set);
    }
    std::shared_ptr<unsigned> count = std::make_shared<unsigned>(0);
    Watch watch;
};

}  // namespace xenrig::blk::test
