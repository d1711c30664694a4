// xenrig: the world that a Xen guest lives in, in one process.
#include <CLI/CLI.hpp>
#include <exception>

#include "commands.h"

namespace {

constexpr const char* kAbout =
    "Xenrig: a simulated Xen, with real frontend and backend drivers, in one process.\n"
    "\n"
    "  xenrig conformance                       does our own driver keep each clause of the protocol?\n"
    "  xenrig run blk-migrate --seed 7          one run of a scenario, by a seed\n"
    "  xenrig run blk-migrate --seeds 1000      a thousand\n"
    "  xenrig run blk-migrate --migrate-at every\n"
    "  xenrig replay TOKEN                      the run that a report was about, again\n"
    "  xenrig serve --disk IMAGE --nbd SOCKET   a guest's disk, for real NBD clients\n"
    "  xenrig xenstored --socket SOCKET         a xenstore, for xenstore-ls and libxenstore\n"
    "  xenrig hypercalls SCRIPT                 what Xen answers to a script of hypercalls\n"
    "  xenrig fuzz xenstore_wire --time 60      any bytes, as a hostile peer would send them\n"
    "  xenrig COMMAND --help                    more on each\n"
    "\n"
    "Exit codes: 0 all well, 1 something was found wrong, 2 usage or error.";

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{kAbout, "xenrig"};
    app.require_subcommand(1);
    xenrig::cli::Action chosen;
    xenrig::cli::add_conformance(app, chosen);
    xenrig::cli::add_run(app, chosen);
    xenrig::cli::add_replay(app, chosen);
    xenrig::cli::add_serve(app, chosen);
    xenrig::cli::add_xenstored(app, chosen);
    xenrig::cli::add_hypercalls(app, chosen);
    xenrig::cli::add_fuzz(app, chosen);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? xenrig::cli::kWell : xenrig::cli::kCouldNot;
    }
    try {
        return chosen();
    } catch (const std::exception& e) {
        return xenrig::cli::complain(e.what());
    }
}
