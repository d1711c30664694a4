// Are runs functions of their inputs? So many inputs made of the named seeds are played in one order and in another,
// and compared hash by hash.
#pragma once

#include <cstddef>
#include <string>

#include "tests/fuzz/target.h"

namespace xenrig::fuzz {

struct ResetVerdict {
    std::size_t inputs = 0, different = 0;
    /// Hashes that are all of one input: what the hash sees is what is answered.
    std::size_t distinct = 0;
    /// The number of the first one that was played differently.
    std::size_t first_different = 0;
};

/// `shuffled`: the second order is any, else it is backwards. With `progress` a line on stderr now and then.
ResetVerdict check_reset(const Target& target, const std::string& seeds, std::size_t inputs, bool shuffled,
                         bool progress);
/// With the seeds of fixtures/fuzz, and said on stdout: 0 when all is well, else 1.
int check_reset_command(const Target& target, std::size_t inputs);

}  // namespace xenrig::fuzz
