// CONTROL live-update, as xenstore-control says it: -f FILE begins a session, -c sets a command line, -s starts, -a
// ends it (lu.c). What fails is told in an answer that is no error. No other program is started: whoever serves the
// daemon hands its state to a fresh one. Nor does it wait for transactions to end, which needs a clock: without -F an
// open one is a reason to refuse.
#include <cstdlib>

#include "sim/xenstore/daemon_impl.h"

namespace xenrig::xenstore {
namespace {

struct Start {
    bool force = false;
    long version = 2;
};

std::optional<Start> parse_start(std::span<const std::string_view> arguments) {
    Start start;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const bool has_value = i + 1 < arguments.size();
        if (arguments[i] == "-F")
            start.force = true;
        else if (arguments[i] == "-t" && has_value)
            ++i;
        else if (arguments[i] == "-v" && has_value)
            start.version = leading_number(arguments[++i]);
        else
            return std::nullopt;
    }
    return start;
}

}  // namespace

Answer<std::string> Daemon::Impl::live_update(const Connection& caller, std::span<const std::string_view> arguments) {
    constexpr long kVersion = 2;
    const bool in_session = update_session == caller.id();
    if (!config.live_update || arguments.empty()) return std::unexpected(Errno::inval);
    const std::string_view what = arguments[0];
    if (what == "-s") {
        const auto start = parse_start(arguments.subspan(1));
        if (!start) return std::unexpected(Errno::inval);
        if (!in_session) return "Not in live-update session.";
        if (start->version < 1 || start->version > kVersion) return "Migration stream version not supported.";
        update_session = 0;
        for (const auto& [id, connection] : connections)
            if (!start->force && !(connection->transactions.empty() && connection->snapshots.empty()))
                return "Overlapping transactions";
        config.live_update();
        return "OK";
    }
    if (arguments.size() != (what == "-a" ? 1 : 2)) return std::unexpected(Errno::inval);
    if (what == "-f") {
        if (update_session != 0) return "live-update session already active.";
        update_session = caller.id();
    } else if (what == "-c") {
        if (!in_session) return "Not in live-update session.";
    } else if (what == "-a") {
        if (update_session == 0) return "No live-update session active.";
        update_session = 0;
    } else {
        return std::unexpected(Errno::inval);
    }
    return "OK";
}

}  // namespace xenrig::xenstore
