// xenrig hypercalls: a script of hypercalls in the simulator, answered line by line as real Xen does; and such scripts
// from a seed.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "commands.h"
#include "sim/hypercalls/generator.h"
#include "sim/hypercalls/interpreter.h"
#include "whole_file.h"

namespace xenrig::cli {

namespace {

struct HypercallsArguments {
    std::string script;
    std::string kind = "dom0";
    std::optional<std::uint64_t> seed;
    std::uint64_t length = 1000;
};

/// On stderr, so that a diff of the answers does not see it.
void report(const hypercalls::Tally& tally) {
    std::fprintf(stderr, "%llu operations, %llu of them hypercalls, of which %llu succeeded\n",
                 static_cast<unsigned long long>(tally.operations), static_cast<unsigned long long>(tally.hypercalls),
                 static_cast<unsigned long long>(tally.successes));
}

std::vector<std::string> kinds() {
    std::vector<std::string> names;
    for (const hypercalls::KernelKind& kind : hypercalls::kernel_kinds()) names.emplace_back(kind.name);
    return names;
}

int write_out(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
        return complain("standard output takes no more");
    return kWell;
}

int hypercalls_command(const HypercallsArguments& a) {
    hypercalls::Tally tally;
    std::string text;
    if (a.seed) {
        text = hypercalls::generate(*a.seed, a.length, &tally, *hypercalls::find_kernel_kind(a.kind));
    } else {
        const auto script = read_whole_file(a.script);
        if (!script) return complain(script.error().message);
        text = hypercalls::run_script(*script, &tally, *hypercalls::find_kernel_kind(a.kind));
        if (tally.operations == 0)
            return complain(a.script + ": there is no operation in it; one a line, like `au 0 0`");
    }
    report(tally);
    const int written = write_out(text);
    const bool whole = a.seed || text.ends_with("@@DONE\n");
    return written == kWell && !whole ? kFoundWrong : written;
}

}  // namespace

void add_hypercalls(CLI::App& app, Action& chosen) {
    auto a = std::make_shared<HypercallsArguments>();
    CLI::App* command = app.add_subcommand("hypercalls", "Answers a script of hypercalls as Xen does");
    command->footer(
        "A line is an operation: `[0:] op arg ... [=var]`, an argument a number, $var, or of page or window 3 its "
        "address\n"
        "@3, &3 and the page's frame %3. So `au 0x7ff0 0 =1` opens a port, `0: bi 1 $1` binds it in dom0, `st 0x7ff0 "
        "$1`\n"
        "asks for its status, and `hc 17 0` makes hypercall 17 with 0. docs/howto-hypercalls.md has them all.");
    CLI::Option* script = command->add_option("script", a->script, "the script: one operation a line");
    command->add_option("--as", a->kind, "who answers it; dom0 unless told")->check(CLI::IsMember(kinds()));
    CLI::Option* seed =
        command->add_option("--generate", a->seed, "print a script that this seed makes")->excludes(script);
    command->add_option("--length", a->length, "its operations; 1000 unless told")->needs(seed);
    command->callback([a, script, seed, &chosen] {
        if (script->count() + seed->count() == 0) throw CLI::RequiredError("a script, or --generate SEED");
        chosen = [a] { return hypercalls_command(*a); };
    });
}

}  // namespace xenrig::cli
