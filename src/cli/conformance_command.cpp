// xenrig conformance.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>

#include "commands.h"
#include "sim/conformance/checks.h"
#include "sim/conformance/pages.h"
#include "sim/conformance/suite.h"

namespace xenrig::cli {

namespace {

namespace conf = xenrig::conformance;

struct Arguments {
    conf::Selection selection;
    std::string subject, junit, json;
    bool list = false, in_process = false;
};

using Writer = void (*)(std::ostream&, const conf::Report&);

bool write_report(const std::string& file, Writer writer, const conf::Report& report) {
    if (file.empty()) return true;
    std::ofstream out(file);
    if (out) writer(out, report);
    if (out.flush()) return true;
    std::cerr << "xenrig: " << file << ": the report can't be written; is the folder there, and the disk not full?\n";
    return false;
}

int complain(const Error& e) {
    std::cerr << "xenrig: " << e.message << '\n';
    return kCouldNot;
}

int conformance_command(const Arguments& a) {
    std::vector<conf::Check> checks = conf::checks();
    if (!a.subject.empty()) {
        const auto subjects = world::load_subject(a.subject);
        if (!subjects) return complain(subjects.error());
        checks = conf::checks_against(*subjects);
    }
    const auto selected = conf::select(checks, a.selection);
    if (!selected) return complain(selected.error());
    if (a.list) {
        for (const conf::Check* c : *selected)
            std::cout << c->id << "  (" << conf::name(c->subject) << ", " << c->header << ":" << c->line << ")\n    "
                      << c->clause << '\n';
        conf::print_page_counts(std::cout);
        return kWell;
    }
    const bool apart = !a.subject.empty() && !a.in_process;
    const auto runner = [apart](const conf::Check& c) { return apart ? conf::run_apart(c) : conf::run_one(c); };
    const auto tell = [](const conf::CheckResult& r) {
        conf::print(std::cout, r);
        std::cout.flush();
    };
    const conf::Report report = conf::run(*selected, tell, runner);
    conf::print_summary(std::cout, report);
    const bool written = write_report(a.junit, conf::write_junit, report);
    return write_report(a.json, conf::write_json, report) && written ? report.exit_code() : kCouldNot;
}

}  // namespace

void add_conformance(CLI::App& app, Action& chosen) {
    auto a = std::make_shared<Arguments>();
    CLI::App* command =
        app.add_subcommand("conformance", "Holds the drivers against each clause of the protocol headers");
    command->add_option("--subject", a->subject, "a library with somebody's driver, instead of Xenrig's own drivers");
    command->add_flag("--in-process", a->in_process, "with --subject: no process for each check, for a debugger");
    command->add_option("--protocol", a->selection.protocol, "ring, xenbus or blkif; without one all");
    command->add_option("--filter", a->selection.filter, "only checks whose id matches, with * and ?");
    command->add_flag("--list", a->list,
                      "name the checks and their clauses, count the clauses with a check, and run none");
    command->add_option("--junit", a->junit, "write a JUnit report to this file");
    command->add_option("--json", a->json, "write a JSON report to this file");
    command->callback([a, &chosen] { chosen = [a] { return conformance_command(*a); }; });
}

}  // namespace xenrig::cli
