#include <cstdio>

#include "commands.h"

namespace xenrig::cli {

int complain(const std::string& what) {
    std::fprintf(stderr, "xenrig: %s\n", what.c_str());
    return kCouldNot;
}

}  // namespace xenrig::cli
