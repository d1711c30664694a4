#include "locking_report.h"

#include <fmt/format.h>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "plot.h"
#include "progress.h"

namespace xenrig::cli {

namespace {

using world::LockCell;
using world::LockingReport;
using world::LockKind;

std::string microseconds(Nanoseconds n) { return fmt::format("{:g} us", static_cast<double>(n.value) / 1000); }
std::string ratio(unsigned hundredths) { return fmt::format("{:g}", hundredths / 100.0); }
double overhead_us(const LockingReport& r, const LockCell& c) { return c.overhead_ns(r.costs) / 1000; }

void print_table(const LockingReport& r) {
    std::printf("processor time that a critical section costs beside its own, in us, by vCPUs a processor\n\n");
    std::printf("%-10s %-9s", "section", "lock");
    for (const unsigned o : r.overcommits()) std::printf(" %8s", ratio(o).c_str());
    std::printf("\n");
    for (const Nanoseconds hold : r.holds())
        for (const LockKind kind : r.kinds()) {
            std::printf("%-10s %-9s", kind == r.kinds().front() ? microseconds(hold).c_str() : "", name(kind));
            for (const unsigned o : r.overcommits())
                std::printf(" %7.2f%s", overhead_us(r, *r.cell(kind, o, hold)),
                            r.cheapest(o, hold) == kind ? "*" : " ");
            std::printf("\n");
        }
    std::printf("* the cheapest\n\n");
}

/// What the numbers come from, for the least and the largest overcommit.
void print_counts(const LockingReport& r) {
    std::printf("%-10s %-9s %9s %10s %10s %8s %10s %8s %8s %8s %8s\n", "section", "lock", "vCPUs/cpu", "sections",
                "spins", "sleeps", "hypercalls", "upcalls", "placed", "lost cpu", "holding");
    const auto n = [](std::uint64_t v) { return static_cast<unsigned long long>(v); };
    for (const LockCell& c : r.cells) {
        if (c.overcommit != r.overcommits().front() && c.overcommit != r.overcommits().back()) continue;
        std::printf("%-10s %-9s %9s %10llu %10llu %8llu %10llu %8llu %8llu %8llu %8llu\n", microseconds(c.hold).c_str(),
                    name(c.kind), ratio(c.overcommit).c_str(), n(c.counts.sections), n(c.counts.spins),
                    n(c.counts.sleeps), n(c.counts.hypercalls), n(c.counts.upcalls), n(c.counts.placed),
                    n(c.counts.descheduled), n(c.counts.holder_descheduled));
    }
    std::printf("lost cpu: a vCPU was descheduled with work left; holding: in the middle of a critical section\n\n");
}

void print_turns(const LockingReport& r) {
    const auto turns = r.turns();
    for (const Nanoseconds hold : r.holds()) {
        std::string line = fmt::format("sections of {}: ", microseconds(hold));
        const auto of_hold = [&](const world::Turn& t) { return t.hold == hold; };
        if (std::ranges::none_of(turns, of_hold))
            line += fmt::format("'{}' is the cheapest at every overcommit tried",
                                name(r.cheapest(r.overcommits().front(), hold)));
        bool first = true;
        for (const world::Turn& t : turns) {
            if (!of_hold(t)) continue;
            line += fmt::format("{}'{}' is the cheapest up to {} vCPUs a processor, '{}' from {}",
                                std::exchange(first, false) ? "" : "; then ", name(t.before), ratio(t.last),
                                name(t.after), ratio(t.first));
        }
        std::printf("%s\n", line.c_str());
    }
}

nlohmann::ordered_json json_of(const LockingReport& r) {
    nlohmann::ordered_json all;
    all["costs_ns"] = {{"spin-round", r.costs.spin_round_ns},
                       {"context-switch", r.costs.context_switch_ns},
                       {"hypercall", r.costs.hypercall_ns},
                       {"upcall", r.costs.upcall_ns},
                       {"vcpu-switch", r.costs.vcpu_switch_ns}};
    auto& cells = all["cells"] = nlohmann::ordered_json::array();
    for (const LockCell& c : r.cells)
        cells.push_back({{"lock", name(c.kind)},
                         {"vcpus_per_cpu", c.overcommit / 100.0},
                         {"section_ns", c.hold.value},
                         {"overhead_ns", c.overhead_ns(r.costs)},
                         {"sections", c.counts.sections},
                         {"contended", c.counts.contended},
                         {"spins", c.counts.spins},
                         {"sleeps", c.counts.sleeps},
                         {"hypercalls", c.counts.hypercalls},
                         {"upcalls", c.counts.upcalls},
                         {"placed", c.counts.placed},
                         {"descheduled", c.counts.descheduled},
                         {"holder_descheduled", c.counts.holder_descheduled},
                         {"running_ns", c.counts.running_ns},
                         {"stolen_ns", c.counts.stolen_ns}});
    auto& turns = all["turns"] = nlohmann::ordered_json::array();
    for (const world::Turn& t : r.turns())
        turns.push_back({{"section_ns", t.hold.value},
                         {"cheapest", name(t.before)},
                         {"up_to", t.last / 100.0},
                         {"then", name(t.after)},
                         {"from", t.first / 100.0}});
    return all;
}

Plot plot_of(const world::Scenario& scenario, const LockingReport& r) {
    Plot plot{.title = "What a lock costs when its holder may have no processor",
              .subtitle = scenario.name + ": processor time a critical section costs beside its own; lower is better",
              .x_label = "vCPUs per processor of the host",
              .y_label = "overhead per section, us (logarithmic)",
              .panels = {}};
    for (const Nanoseconds hold : r.holds()) {
        PlotPanel& panel = plot.panels.emplace_back(PlotPanel{"sections of " + microseconds(hold), {}});
        for (const LockKind kind : r.kinds()) {
            PlotLine& line = panel.lines.emplace_back(PlotLine{name(kind), {}});
            for (const unsigned o : r.overcommits())
                line.points.emplace_back(o / 100.0, std::max(overhead_us(r, *r.cell(kind, o, hold)), 1e-3));
        }
    }
    return plot;
}

}  // namespace

int run_locking_scenario(const world::Scenario& scenario, const LockingArguments& arguments) {
    LockingReport report;
    {
        Progress progress{"run"};
        report = world::run_locking(scenario, arguments.first_seed,
                                    [&](std::uint64_t done, std::uint64_t all) { progress(done, all); });
    }
    if (!report.problem.empty()) {
        std::printf("%s\n", report.problem.c_str());
        return kFoundWrong;
    }
    if (!arguments.plot.empty()) {
        std::ofstream file(arguments.plot, std::ios::binary);
        file << svg(plot_of(scenario, report));
        if (!file.flush()) return complain(arguments.plot + ": can't be written");
    }
    if (arguments.json) {
        std::printf("%s\n", json_of(report).dump(2).c_str());
        return kWell;
    }
    print_table(report);
    print_counts(report);
    print_turns(report);
    if (!arguments.plot.empty()) std::printf("plot: %s\n", arguments.plot.c_str());
    return kWell;
}

}  // namespace xenrig::cli
