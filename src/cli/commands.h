// The commands of `xenrig`: each adds its options to the parser and, when it was chosen, is run for an exit code.
//
// Exit codes, the same for all: 0 all well, 1 something was found wrong, 2 the command could not do its work.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace xenrig::cli {

using Action = std::function<int()>;

inline constexpr int kWell = 0, kFoundWrong = 1, kCouldNot = 2;

/// Says on stderr why the command could not do its work; kCouldNot.
int complain(const std::string& what);

/// xenrig replay of a fuzz target's input; `library`: the subject's, or empty.
int replay_fuzz(const std::string& token, const std::string& library, bool trace);

/// Sets `chosen` when its command is on the command line.
void add_run(CLI::App& app, Action& chosen);
void add_replay(CLI::App& app, Action& chosen);
void add_serve(CLI::App& app, Action& chosen);
void add_conformance(CLI::App& app, Action& chosen);
void add_backend(CLI::App& app, Action& chosen);
void add_xenstored(CLI::App& app, Action& chosen);
void add_hypercalls(CLI::App& app, Action& chosen);
void add_fuzz(CLI::App& app, Action& chosen);

}  // namespace xenrig::cli
