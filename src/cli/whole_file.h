// A file that a user names, read whole.
#pragma once

#include <string>

#include "xenrig/abi/error.h"

namespace xenrig::cli {

/// What a folder, a device that fails or a missing file gives is "PATH: why".
Result<std::string> read_whole_file(const std::string& path);

}  // namespace xenrig::cli
