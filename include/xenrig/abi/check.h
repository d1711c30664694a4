// Checks of our own invariants: always on, in every build, because a simulator that is wrong proves nothing.
//
// Never for what a peer, a guest or a file can cause: those are values (error.h).
#pragma once

#include <source_location>

namespace xenrig {

/// Prints the place and the sentence, and aborts.
[[noreturn]] void check_failed(const char* what, std::source_location where);

/// `what` says the rule that holds, as a sentence: check(port.value != 0, "port 0 is never allocated").
inline void check(bool holds, const char* what, std::source_location where = std::source_location::current()) {
    if (!holds) [[unlikely]]
        check_failed(what, where);
}

}  // namespace xenrig
