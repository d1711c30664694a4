#include "xenrig/world/locking.h"

#include <algorithm>

#include "sim/world/locking_world.h"

namespace xenrig::world {

namespace {

void add(LockCounts& sum, const LockCounts& more) {
    sum.sections += more.sections;
    sum.contended += more.contended;
    sum.spins += more.spins;
    sum.sleeps += more.sleeps;
    sum.hypercalls += more.hypercalls;
    sum.upcalls += more.upcalls;
    sum.placed += more.placed;
    sum.descheduled += more.descheduled;
    sum.holder_descheduled += more.holder_descheduled;
    sum.running_ns += more.running_ns;
    sum.stolen_ns += more.stolen_ns;
}

/// Those that occur, each once, in their order.
template <class T, class Of>
std::vector<T> distinct(const std::vector<LockCell>& cells, Of of) {
    std::vector<T> found;
    for (const LockCell& cell : cells)
        if (std::ranges::find(found, of(cell)) == found.end()) found.push_back(of(cell));
    return found;
}

}  // namespace

double LockCell::overhead_ns(const LockCosts& costs) const {
    // A task that sleeps is switched away from and back to.
    const std::uint64_t switches = 2 * counts.sleeps;
    const std::uint64_t sum = counts.spins * costs.spin_round_ns + switches * costs.context_switch_ns +
                              counts.hypercalls * costs.hypercall_ns + counts.upcalls * costs.upcall_ns +
                              counts.placed * costs.vcpu_switch_ns;
    return static_cast<double>(sum) / static_cast<double>(std::max<std::uint64_t>(counts.sections, 1));
}

std::vector<unsigned> LockingReport::overcommits() const {
    return distinct<unsigned>(cells, [](const LockCell& c) { return c.overcommit; });
}
std::vector<Nanoseconds> LockingReport::holds() const {
    return distinct<Nanoseconds>(cells, [](const LockCell& c) { return c.hold; });
}
std::vector<LockKind> LockingReport::kinds() const {
    return distinct<LockKind>(cells, [](const LockCell& c) { return c.kind; });
}

const LockCell* LockingReport::cell(LockKind kind, unsigned overcommit, Nanoseconds hold) const {
    const auto found = std::ranges::find_if(
        cells, [&](const LockCell& c) { return c.kind == kind && c.overcommit == overcommit && c.hold == hold; });
    return found == cells.end() ? nullptr : &*found;
}

LockKind LockingReport::cheapest(unsigned overcommit, Nanoseconds hold) const {
    const LockCell* best = nullptr;
    for (const LockCell& c : cells) {
        if (c.overcommit != overcommit || c.hold != hold) continue;
        if (!best || c.overhead_ns(costs) < best->overhead_ns(costs)) best = &c;
    }
    return best ? best->kind : LockKind::spin;
}

std::vector<Turn> LockingReport::turns() const {
    std::vector<Turn> found;
    const auto ratios = overcommits();
    for (const Nanoseconds hold : holds())
        for (std::size_t i = 1; i < ratios.size(); ++i) {
            const LockKind before = cheapest(ratios[i - 1], hold), after = cheapest(ratios[i], hold);
            if (before != after) found.push_back({hold, before, after, ratios[i - 1], ratios[i]});
        }
    return found;
}

LockingReport run_locking(const Scenario& scenario, std::uint64_t first_seed,
                          const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    const LockingSpec& spec = *scenario.locking;
    const GuestSpec& guest = *scenario.guest(spec.guest);
    const HostSpec& host = *std::ranges::find(scenario.hosts, guest.host, &HostSpec::name);
    LockingReport report;
    report.costs = spec.costs;
    const std::uint64_t all =
        std::uint64_t{spec.seeds} * spec.kinds.size() * spec.holds.size() * spec.overcommits.size();
    std::uint64_t done = 0;
    for (const Nanoseconds hold : spec.holds)
        for (const unsigned overcommit : spec.overcommits)
            for (const LockKind kind : spec.kinds) {
                LockCell& cell = report.cells.emplace_back(LockCell{kind, overcommit, hold, {}});
                for (unsigned i = 0; i < spec.seeds; ++i) {
                    LockingWorld world({.kind = kind,
                                        .processors = host.cpus,
                                        .vcpus = guest.vcpus,
                                        .weight = static_cast<std::uint16_t>(guest.weight),
                                        .cap = static_cast<std::uint16_t>(guest.cap),
                                        .overcommit = overcommit,
                                        .hold = hold,
                                        .outside = Nanoseconds{hold.value * spec.outside},
                                        .duration = spec.duration,
                                        .seed = first_seed + i,
                                        .costs = spec.costs});
                    if (report.problem = world.run(); !report.problem.empty()) return report;
                    add(cell.counts, world.counts());
                    progress(++done, all);
                }
            }
    return report;
}

}  // namespace xenrig::world
