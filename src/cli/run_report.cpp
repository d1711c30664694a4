#include "run_report.h"

#include <cstdio>
#include <filesystem>

#include "commands.h"
#include "sim/engine/token_text.h"

namespace xenrig::cli {

namespace {

void print_problems(const world::RunReport& r) {
    for (const world::Problem& p : r.problems)
        std::printf("%s (step %llu): %s\n", p.rule.c_str(), static_cast<unsigned long long>(p.step), p.text.c_str());
}

void print_counts(const world::RunReport& r) {
    const auto n = [](std::uint64_t v) { return static_cast<unsigned long long>(v); };
    std::printf("  %u operations, %u migrations (%u requests in flight at a suspend), memory model %s\n", r.operations,
                r.migrations, r.in_flight_at_suspend, r.model.c_str());
    if (r.faults != 0)
        std::printf("  %u faults struck: %u operations failed, %u were begun again, %u died with their guest\n",
                    r.faults, r.failed_operations, r.repeated_operations, r.lost_operations);
    if (r.changes != 0) std::printf("  %u changes of disks in use\n", r.changes);
    std::printf("  %llu steps, %llu choices of which %llu picks, %llu switches, %llu upcalls\n", n(r.steps),
                n(r.choices), n(r.picks), n(r.switches), n(r.upcalls));
    std::printf("  %llu hypercalls, %llu events sent, %llu grant copies, %llu grant maps, %llu store messages\n",
                n(r.hypercalls), n(r.events_sent), n(r.grant_copies), n(r.grant_maps), n(r.store_messages));
    std::printf("  trace hash %016llx\n", n(r.hash));
}

}  // namespace

std::string replay_arguments(const std::string& scenario, const std::string& subject) {
    namespace fs = std::filesystem;
    const bool known = scenario.empty() || (fs::path(scenario).parent_path().empty() && !fs::exists(scenario));
    return (known ? "" : " --scenario " + scenario) + (subject.empty() ? "" : " --subject " + subject);
}

int tell(const world::RunReport& r, bool trace, const std::string& again) {
    if (r.ok()) {
        std::printf("well\n");
        print_counts(r);
        return kWell;
    }
    print_problems(r);
    if (trace)
        for (const std::string& line : r.trace_tail) std::printf("    %s\n", line.c_str());
    print_counts(r);
    std::printf("replay: xenrig replay %s%s\n", engine::show_token(r.token).c_str(), again.c_str());
    return kFoundWrong;
}

}  // namespace xenrig::cli
