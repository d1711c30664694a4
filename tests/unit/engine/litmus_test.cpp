// The litmus tests of the three memory models: the outcomes found by exhaustive search equal the table of those
// allowed. The tables follow docs/memory-models.md.
#include "litmus.h"

namespace xenrig::engine {
namespace {

using namespace litmus;

/// Store buffering: both load 0 only where a store may be overtaken by a later load.
std::vector<Thread> sb(bool fenced) {
    return {[=](Program& p) {
                p.store(x, 1);
                if (fenced) shared::mb();
                p.r[0] = p.load(y);
            },
            [=](Program& p) {
                p.store(y, 1);
                if (fenced) shared::mb();
                p.r[1] = p.load(x);
            }};
}

TEST(Litmus, StoreBufferingShowsBothZeroUnlessEachSideHasAFullBarrier) {
    const Outcomes sc{"01", "10", "11"}, weak{"00", "01", "10", "11"};
    EXPECT_EQ(reads(Model::sc, sb(false), 2), sc);
    EXPECT_EQ(reads(Model::tso, sb(false), 2), weak);
    EXPECT_EQ(reads(Model::relaxed, sb(false), 2), weak);
    EXPECT_EQ(reads(Model::tso, sb(true), 2), sc);
    EXPECT_EQ(reads(Model::relaxed, sb(true), 2), sc);
}

/// Message passing: the flag is seen, the message is not.
std::vector<Thread> mp(bool wmb, bool rmb) {
    return {[=](Program& p) {
                p.store(x, 1);
                if (wmb) shared::wmb();
                p.store(y, 1);
            },
            [=](Program& p) {
                p.r[0] = p.load(y);
                if (rmb) shared::rmb();
                p.r[1] = p.load(x);
            }};
}

TEST(Litmus, MessagePassingNeedsBothBarriersOnTheRelaxedMachineAndNoneOnTheOthers) {
    const Outcomes strong{"00", "01", "11"}, weak{"00", "01", "10", "11"};
    EXPECT_EQ(reads(Model::sc, mp(false, false), 2), strong);
    EXPECT_EQ(reads(Model::tso, mp(false, false), 2), strong);
    EXPECT_EQ(reads(Model::relaxed, mp(false, false), 2), weak);
    EXPECT_EQ(reads(Model::relaxed, mp(true, false), 2), weak);
    EXPECT_EQ(reads(Model::relaxed, mp(false, true), 2), weak);
    EXPECT_EQ(reads(Model::relaxed, mp(true, true), 2), strong);
}

TEST(Litmus, LoadBufferingNeverHappensBecauseALoadIsNotOrderedAfterALaterStore) {
    const std::vector<Thread> lb{[](Program& p) {
                                     p.r[0] = p.load(x);
                                     p.store(y, 1);
                                 },
                                 [](Program& p) {
                                     p.r[1] = p.load(y);
                                     p.store(x, 1);
                                 }};
    const Outcomes allowed{"00", "01", "10"};
    for (const Model m : {Model::sc, Model::tso, Model::relaxed}) EXPECT_EQ(reads(m, lb, 2), allowed) << name(m);
}

TEST(Litmus, OnePlaceIsCoherentNoLoadSeesAnOlderValueThanTheOneBefore) {
    const std::vector<Thread> corr{[](Program& p) { p.store(x, 1); },
                                   [](Program& p) {
                                       p.r[0] = p.load(x);
                                       p.r[1] = p.load(x);
                                   }};
    const Outcomes allowed{"00", "01", "11"};
    for (const Model m : {Model::sc, Model::tso, Model::relaxed}) EXPECT_EQ(reads(m, corr, 2), allowed) << name(m);
}

/// Two writes each, in opposite orders: x and y both end as 1, the first value stored to each.
std::vector<Thread> two_plus_two(bool wmb) {
    return {[=](Program& p) {
                p.store(x, 1);
                if (wmb) shared::wmb();
                p.store(y, 2);
            },
            [=](Program& p) {
                p.store(y, 1);
                if (wmb) shared::wmb();
                p.store(x, 2);
            }};
}

TEST(Litmus, TwoPlusTwoWritesCrossOnlyOnTheRelaxedMachineWithoutWriteBarriers) {
    const auto final_values = [](Program& p) {
        return digits({static_cast<unsigned>(p.page[x]), static_cast<unsigned>(p.page[y])});
    };
    const Outcomes strong{"12", "21", "22"}, weak{"11", "12", "21", "22"};
    EXPECT_EQ(explore(Model::sc, two_plus_two(false), final_values), strong);
    EXPECT_EQ(explore(Model::tso, two_plus_two(false), final_values), strong);
    EXPECT_EQ(explore(Model::relaxed, two_plus_two(false), final_values), weak);
    EXPECT_EQ(explore(Model::relaxed, two_plus_two(true), final_values), strong);
}

}  // namespace
}  // namespace xenrig::engine
