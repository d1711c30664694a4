// The same numbers on every machine: splitmix64.
#pragma once

#include <cstdint>

namespace xenrig::xenstore::test {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    unsigned below(unsigned n) {
        state_ += 0x9E37'79B9'7F4A'7C15;
        std::uint64_t z = state_;
        z = (z ^ z >> 30) * 0xBF58'476D'1CE4'E5B9;
        z = (z ^ z >> 27) * 0x94D0'49BB'1331'11EB;
        return static_cast<unsigned>((z ^ z >> 31) % n);
    }

private:
    std::uint64_t state_;
};

}  // namespace xenrig::xenstore::test
