#include "tests/fuzz/inputs.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace xenrig::fuzz {

std::string read_input(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<std::filesystem::path> inputs_in(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

std::vector<std::string> read_inputs(const std::filesystem::path& folder) {
    std::vector<std::string> inputs;
    for (const auto& file : inputs_in(folder)) inputs.push_back(read_input(file));
    return inputs;
}

std::string problems_of(const PlayReport& report) {
    std::string text;
    for (const engine::Problem& p : report.problems) text += p.oracle + ": " + p.text + '\n';
    for (const std::string& line : report.trace_tail) text += "    " + line + '\n';
    return text;
}

}  // namespace xenrig::fuzz
