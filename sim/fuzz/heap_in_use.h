// How many bytes of this process's heap are allocated: for rules that say that a peer can't make it grow for ever.
//
// As the C library or AddressSanitizer counts them, other threads' among them; or as who has a heap of its own does.
#pragma once

#include <cstddef>

namespace xenrig::fuzz {

std::size_t heap_in_use();
/// From now on it is what this says; null: the whole process's again.
void count_heap_by(std::size_t (*count)());

}  // namespace xenrig::fuzz
