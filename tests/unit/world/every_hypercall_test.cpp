// Each hypercall of each end of a disk fails in turn, from the first of the handshake to the last that a few operations
// need: the disk closes and says why, or an operation fails; nothing leaks, nothing that was acknowledged is lost, and
// the guest works on when it gets its disk again.
#include <gtest/gtest.h>

#include "xenrig/world/run.h"

namespace xenrig::world {
namespace {

Scenario failing(bool at_backend, unsigned nth, FeatureChoice features) {
    Scenario s;
    s.name = "every-hypercall";
    s.block_features = features;
    s.hosts.push_back({.name = "a"});
    s.disks.push_back({.name = "data", .kind = DiskKind::simulated});
    s.guests.push_back({.name = "web", .host = "a", .disks = {{.disk = "data", .device = "xvda"}}});
    s.workloads.push_back({.guest = "web", .device = "xvda", .operations = 12, .in_flight = 4});
    s.faults.push_back({.kind = FaultKind::hypercall_fails, .guest = "web", .at_backend = at_backend, .nth = nth});
    return s;
}

struct Total {
    unsigned hypercalls = 0, closed = 0, failed = 0, begun_again = 0;
};

Total fail_each(bool at_backend, FeatureChoice features, std::optional<std::uint64_t> seed) {
    Total total;
    for (unsigned nth = 1;; ++nth) {
        const Scenario s = failing(at_backend, nth, features);
        EXPECT_TRUE(s.validate()) << s.validate().error().message;
        const RunReport r = run(s, {.seed = seed});
        EXPECT_TRUE(r.ok()) << "hypercall " << nth << " of the " << (at_backend ? "backend" : "frontend") << ": "
                            << r.problems.front().rule << ": " << r.problems.front().text << "\n"
                            << r.token;
        if (!r.ok()) return total;
        EXPECT_EQ(r.operations, 12u);
        if (r.faults == 0) return total;
        ++total.hypercalls;
        total.closed += r.changes;
        total.failed += r.failed_operations;
        total.begun_again += r.repeated_operations;
    }
}

TEST(EveryHypercall, OfAFrontendMayFail) {
    const Total mild = fail_each(false, FeatureChoice::plain, {});
    EXPECT_GT(mild.hypercalls, 5u);
    EXPECT_GT(mild.closed, 0u) << "a ring without a port is none";
    EXPECT_GT(mild.begun_again, 0u) << "what a closing disk left unanswered";
    EXPECT_GT(fail_each(false, FeatureChoice::all, 3).hypercalls, 5u);
}

TEST(EveryHypercall, OfABackendMayFail) {
    const Total mild = fail_each(true, FeatureChoice::plain, {});
    EXPECT_GT(mild.hypercalls, 20u);
    EXPECT_GT(mild.closed, 0u) << "a ring that can't be mapped";
    EXPECT_GT(mild.failed, 0u) << "a request whose pages can't be mapped";
    EXPECT_GT(mild.begun_again, 0u) << "what was answered and nobody was told of";
    EXPECT_GT(fail_each(true, FeatureChoice::all, 3).hypercalls, 5u);
}

}  // namespace
}  // namespace xenrig::world
