// How a token reaches a person and comes back: up to 200 characters as it is, a longer one as "@FILE", a file of the
// folder xenrig-tokens where the program was started.
#pragma once

#include <string>

#include "xenrig/abi/error.h"

namespace xenrig::engine {

/// The token itself, or "@FILE" once it is written; the whole token, and a complaint on stderr, where it can't be.
std::string show_token(const std::string& token);

/// What show_token() said; ENOENT when the file can't be read.
Result<std::string> read_shown_token(const std::string& shown);

}  // namespace xenrig::engine
