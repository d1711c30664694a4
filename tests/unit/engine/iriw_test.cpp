// Independent reads of independent writes: the largest of the litmus tests, and the only one with four vCPUs.
#include "litmus.h"

namespace xenrig::engine {
namespace {

using namespace litmus;

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

}  // namespace
}  // namespace xenrig::engine
