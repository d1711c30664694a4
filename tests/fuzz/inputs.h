// Inputs of fuzz targets as they lie in files, and what is said of a report that is not well.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sim/fuzz/blk_target.h"

namespace xenrig::fuzz {

/// Empty when there is no such file.
std::string read_input(const std::filesystem::path& file);
/// In the order of their names.
std::vector<std::filesystem::path> inputs_in(const std::filesystem::path& folder);
/// Of a folder, in the order of their names.
std::vector<std::string> read_inputs(const std::filesystem::path& folder);

/// A line for each problem, and the records before the first.
std::string problems_of(const PlayReport& report);

}  // namespace xenrig::fuzz
