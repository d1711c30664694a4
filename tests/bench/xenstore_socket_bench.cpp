// The store through its unix socket, side by side with an echo on the same kind of socket and, where they can be had,
// with the real daemons: all pinned to one processor together with their client. docs/xenstore-speed.md.
#include <sched.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "side_by_side/measures.h"
#include "tests/scratch/scratch_folder.h"

namespace xenrig::side_by_side {
namespace {

struct Options {
    std::string real, json;
    int cpu = 0;
    long most = 1'000'000;
    Effort effort;
};

void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) die("processor " + std::to_string(cpu) + " cannot be had");
}

Contestants start_all(const std::string& folder, const Options& options) {
    Contestants all;
    all.push_back({.server = start_echo(folder), .echo = true, .client = {}});
    for (const auto personality : {xenstore::Personality::c, xenstore::Personality::o})
        all.push_back({.server = start_store(folder, personality), .client = {}});
    if (!options.real.empty())
        for (const char* kind : {"c", "o"})
            all.push_back({.server = start_real(options.real + "/start.sh", kind, folder), .client = {}});
    for (Contestant& c : all) prepare(c);
    return all;
}

class Report {
public:
    explicit Report(const Contestants& contestants) {
        std::printf("%-42s %-7s", "", "");
        for (const Contestant& c : contestants) {
            names_.push_back(c.server.name());
            std::printf(" %12s", c.server.name().c_str());
        }
        std::printf("\n");
    }
    void add(const Row& row) {
        nlohmann::json figures;
        std::printf("%-42s %-7s", row.name.c_str(), row.unit.c_str());
        for (std::size_t i = 0; i < names_.size(); ++i) {
            if (row.figures[i]) {
                figures[names_[i]] = *row.figures[i];
                std::printf(" %12.*f", row.unit.empty() ? 0 : 2, *row.figures[i]);
            } else {
                std::printf(" %12s", "-");
            }
        }
        std::printf("\n");
        std::fflush(stdout);
        rows_.push_back({{"name", row.name}, {"unit", row.unit}, {"figures", figures}});
    }
    void add(const std::vector<Row>& rows) {
        for (const Row& row : rows) add(row);
    }
    void write(const std::string& path) const { std::ofstream(path) << rows_.dump(1) << '\n'; }

private:
    std::vector<std::string> names_;
    nlohmann::json rows_ = nlohmann::json::array();
};

void beside_idle_watches(Contestants& contestants, Report& report, const Effort& effort) {
    constexpr int kWatches = 10'000;
    report.add(writes(contestants, "no watches", effort));
    std::vector<std::unique_ptr<Client>> watchers;
    for (Contestant& c : contestants) {
        if (c.echo) continue;
        auto& watcher = *watchers.emplace_back(std::make_unique<Client>(c.server.socket()));
        for (int i = 0; i < kWatches; ++i) {
            watcher.must(XS_WATCH, "/elsewhere/" + std::to_string(i) + '\0' + "token" + '\0');
            if (watcher.receive().type != XS_WATCH_EVENT) die("a new watch has no event");
        }
    }
    report.add(writes(contestants, "10,000 watches elsewhere", effort));
}

void run(const Options& options) {
    const test::ScratchFolder folder;
    Contestants all = start_all(folder.path(), options);
    Report report(all);
    beside_idle_watches(all, report, options.effort);
    report.add(watch_delivery(all, options.effort));
    for (const long others : {1'000L, 100'000L, 1'000'000L}) {
        if (others > options.most) break;
        Row bytes{"bytes for a node, up to " + std::to_string(others), "bytes", {}};
        for (Contestant& c : all) bytes.figures.push_back(fill(c, others, options.effort));
        report.add(operations(all, std::to_string(others) + " other nodes", options.effort));
        if (others > 1'000) report.add(bytes);
    }
    report.add(one_directory(all, options.most, options.effort));
    if (!options.json.empty()) report.write(options.json);
}

}  // namespace
}  // namespace xenrig::side_by_side

int main(int argc, char** argv) {
    xenrig::side_by_side::Options options;
    CLI::App app("The store through its socket, beside an echo and the real daemons");
    app.add_option("--real", options.real, "folder whose start.sh KIND FOLDER starts a real daemon (KIND c or o)")
        ->envname("XENRIG_REAL_XENSTORED");
    app.add_option("--json", options.json, "also write the figures into this file");
    app.add_option("--cpu", options.cpu, "the processor that all share");
    app.add_option("--nodes", options.most, "go no further than so many nodes");
    app.add_option("--rounds", options.effort.rounds, "bursts of which the median is taken");
    app.add_option("--burst", options.effort.burst, "requests in one burst");
    app.add_option("--fill-seconds", options.effort.seconds_to_fill, "patience with a server that takes nodes slowly");
    // Arguments of Google Benchmark, which the programs beside this one understand, mean nothing here.
    app.allow_extras();
    CLI11_PARSE(app, argc, argv);
    xenrig::side_by_side::pin_to(options.cpu);
    xenrig::side_by_side::run(options);
    return 0;
}
