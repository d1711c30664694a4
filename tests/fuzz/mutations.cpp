#include "tests/fuzz/mutations.h"

namespace xenrig::fuzz {

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
