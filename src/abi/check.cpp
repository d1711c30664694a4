#include "xenrig/abi/check.h"

#include <cstdio>
#include <cstdlib>

namespace xenrig {

void check_failed(const char* what, std::source_location where) {
    std::fprintf(stderr, "xenrig: %s:%u: %s: this must hold, and does not: %s\n", where.file_name(),
                 static_cast<unsigned>(where.line()), where.function_name(), what);
    std::abort();
}

}  // namespace xenrig
