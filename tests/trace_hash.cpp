// Prints the trace hash of worlds of many kinds, a line each: "<scenario> <seed> <hash>".
//
// Built by several compilers at several levels of optimisation, the lines must be equal.
#include <cstdio>
#include <cstdlib>

#include "xenrig/world/run.h"

namespace {

using namespace xenrig::world;

void print(const Scenario& scenario, std::uint64_t seed) {
    const RunReport r = run(scenario, {.seed = seed});
    if (!r.ok()) {
        std::fprintf(stderr, "%s, seed %llu: %s: %s\n", scenario.name.c_str(), static_cast<unsigned long long>(seed),
                     r.problems.front().rule.c_str(), r.problems.front().text.c_str());
        std::exit(1);
    }
    std::printf("%s %llu %016llx\n", scenario.name.c_str(), static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(r.hash));
}

}  // namespace

int main() {
    // Built here, not read from a file: what is compared is the world, and the parser is slow to compile.
    Scenario scenario{.name = "blk-migrate",
                      .hosts = {{"a"}, {"b"}},
                      .disks = {{.name = "data", .kind = DiskKind::simulated}},
                      .guests = {{.name = "web", .host = "a", .disks = {{"data", "xvda"}}}},
                      .workloads = {{.guest = "web", .device = "xvda"}},
                      .migrations = {{.guest = "web", .to = "b", .after_operations = 60}}};
    for (std::uint64_t seed = 0; seed < 24; ++seed) print(scenario, seed);

    scenario.name = "blk-two-vcpus-cancel";
    scenario.guests[0].vcpus = 2;
    scenario.disks[0].kind = DiskKind::ram;
    scenario.migrations[0].cancel = true;
    for (std::uint64_t seed = 0; seed < 12; ++seed) print(scenario, seed);

    scenario.name = "blk-faults";
    scenario.disks[0].kind = DiskKind::simulated;
    scenario.drivers = {{.name = "storage", .host = "a", .vcpus = 2}};
    scenario.guests[0].disks[0].driver = "storage";
    scenario.faults = {{.kind = FaultKind::power_cut, .disk = "data", .after_operations = 50},
                       {.kind = FaultKind::backend_dies, .driver = "storage", .after_operations = 50}};
    for (std::uint64_t seed = 0; seed < 12; ++seed) print(scenario, seed);
}
