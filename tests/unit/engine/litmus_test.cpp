// The litmus tests of the three memory models: the outcomes found by exhaustive search equal the table of those
// allowed.
//
// Each program is a handful of loads and stores on vCPUs of their own; an outcome is what the loads returned, and for
// 2+2W what memory holds at the end. The tables follow docs/memory-models.md.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "xenrig/shared/door.h"

namespace xenrig::engine {
namespace {

using Outcomes = std::set<std::string>;

/// Two words, x and y, far enough apart to lie in different cache lines, and what each vCPU read.
struct Program {
    alignas(64) std::array<std::byte, kPageSize> page{};
    shared::Window memory{page.data(), [] {
                              auto lease = std::make_shared<shared::Lease>();
                              lease->peer_writable = false;
                              return lease;
                          }()};
    std::array<unsigned, 4> r{};

    static constexpr std::size_t x = 0, y = 128;

    void store(std::size_t place, unsigned v) { shared::store<std::uint32_t>(memory, place, v); }
    unsigned load(std::size_t place) { return shared::load<std::uint32_t>(memory, place); }
};

using Thread = std::function<void(Program&)>;

/// All outcomes, written as the digits that `show` gives.
Outcomes explore(Model model, const std::vector<Thread>& threads, const std::function<std::string(Program&)>& show) {
    Outcomes found;
    ExhaustiveSource source;
    do {
        Program program;
        {
            Engine engine{source, {.model = model}};
            int n = 0;
            for (const Thread& thread : threads)
                engine.add_cpu("v" + std::to_string(n++)).spawn("litmus", TaskRole::work, [&] { thread(program); });
            EXPECT_EQ(engine.run(), Stopped::quiet);
        }
        found.insert(show(program));
    } while (source.advance());
    return found;
}

std::string digits(std::initializer_list<unsigned> values) {
    std::string s;
    for (const unsigned v : values) s += static_cast<char>('0' + v);
    return s;
}

Outcomes reads(Model model, const std::vector<Thread>& threads, int count) {
    return explore(model, threads, [count](Program& p) {
        std::string s;
        for (int i = 0; i < count; ++i) s += static_cast<char>('0' + p.r[static_cast<std::size_t>(i)]);
        return s;
    });
}

constexpr auto x = Program::x, y = Program::y;

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

/// Two readers see two independent writes in opposite orders: "1010".
std::vector<Thread> iriw(bool rmb) {
    return {[](Program& p) { p.store(x, 1); }, [](Program& p) { p.store(y, 1); },
            [=](Program& p) {
                p.r[0] = p.load(x);
                if (rmb) shared::rmb();
                p.r[1] = p.load(y);
            },
            [=](Program& p) {
                p.r[2] = p.load(y);
                if (rmb) shared::rmb();
                p.r[3] = p.load(x);
            }};
}

TEST(Litmus, IndependentReadsOfIndependentWritesDisagreeOnlyOnTheRelaxedMachineWithoutReadBarriers) {
    Outcomes all;
    for (unsigned bits = 0; bits < 16; ++bits)
        all.insert(digits({bits >> 3 & 1, bits >> 2 & 1, bits >> 1 & 1, bits & 1}));
    Outcomes agreeing = all;
    agreeing.erase("1010");
    EXPECT_EQ(reads(Model::sc, iriw(false), 4), agreeing);
    EXPECT_EQ(reads(Model::tso, iriw(false), 4), agreeing);
    EXPECT_EQ(reads(Model::relaxed, iriw(false), 4), all);
    EXPECT_EQ(reads(Model::relaxed, iriw(true), 4), agreeing);
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
