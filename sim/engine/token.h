// A run in one line: the scenario's name, hash and version, the options that matter, and the picks that were not 0.
//
//   token   = "x1." scenario "." hash "." options "." picks
//   picks   = base64url of: streams, then for each: key, count, then count times (ordinal - previous, value), all
//             varints (LEB128) but the key, which is four bytes, little end first
//
// Up to 200 characters it is printed; a longer one goes to a file, which "@FILE" names (src/cli).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/engine/choices.h"
#include "xenrig/abi/error.h"

namespace xenrig::engine {

struct Token {
    /// The scenario's name, as `xenrig run` takes it.
    std::string scenario;
    /// Of the scenario's text and options: a token does not fit another version.
    std::uint32_t scenario_hash = 0;
    /// "model=tso,migrate-at=812": what the command line added, sorted.
    std::string options;
    std::vector<Pick> picks;

    friend bool operator==(const Token&, const Token&) = default;
};

std::string encode(const Token& token);

/// EINVAL says what is wrong and where.
Result<Token> decode(std::string_view text);

}  // namespace xenrig::engine
