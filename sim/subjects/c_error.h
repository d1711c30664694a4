// What a function of a subject's library returned, as a Result.
#pragma once

#include <string>

#include "xenrig/abi/error.h"

namespace xenrig::subjects {

inline Result<> result_of(int answer, const char* what) {
    if (answer >= 0) return {};
    return fail(Errno{static_cast<std::uint16_t>(-answer)}, std::string("the subject's ") + what + " returned it");
}

}  // namespace xenrig::subjects
