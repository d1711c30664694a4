#include "tests/fuzz/mutations.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace xenrig::fuzz {

std::vector<std::string> read_inputs(const std::string& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
    std::ranges::sort(files);
    std::vector<std::string> inputs;
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return inputs;
}

std::string Mutations::next() {
    std::string input = seeds_[below(seeds_.size())];
    for (std::size_t n = 1 + below(6); n != 0 && !input.empty(); --n) {
        const std::size_t at = below(input.size());
        switch (below(3)) {
            case 0:
                input[at] = static_cast<char>(below(256));
                break;
            case 1:
                input.erase(at, 1 + below(8));
                break;
            default: {
                const std::string& other = seeds_[below(seeds_.size())];
                const std::size_t from = below(other.size() + 1);
                input.insert(at, other, from, 1 + below(40));
            }
        }
    }
    return input;
}

}  // namespace xenrig::fuzz
