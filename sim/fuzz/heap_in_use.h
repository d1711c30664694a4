// How many bytes of this process's heap are allocated: for rules that say that a peer can't make it grow for ever.
//
// As the C library or AddressSanitizer counts them; other threads' are among them.
#pragma once

#include <cstddef>

namespace xenrig::fuzz {

std::size_t heap_in_use();

}  // namespace xenrig::fuzz
