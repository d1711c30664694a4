// What an oracle or the engine itself found wrong in a run.
#pragma once

#include <cstdint>
#include <string>

namespace xenrig::engine {

struct Problem {
    /// The rule that was broken, by a short name that stays: "double-fetch", "quiet-with-work", "lock-order".
    std::string oracle;
    /// A sentence or more for a person.
    std::string text;
    std::uint64_t step = 0;
};

}  // namespace xenrig::engine
