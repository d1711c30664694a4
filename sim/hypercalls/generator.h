// Scripts of hypercalls from a seed, made by somebody who knows what is there: each line is run in the simulator before
// the next is drawn, so that most of them name live ports, entries and handles.
//
// About one operation in eight is wild: any operation on any number. The same seed and length give the same script as
// long as the simulator answers the same; what is compared with real Xen is a script's text, not its seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/hypercalls/interpreter.h"

namespace xenrig::hypercalls {

class Generator {
public:
    explicit Generator(std::uint64_t seed) : state_(seed) {}

    /// One line with its newline.
    std::string next();
    const Tally& tally() const { return interpreter_.tally(); }

private:
    struct Channel {
        std::uint32_t variable = 0;
        std::int64_t port = 0;
        bool bindable = false;  ///< unbound, and for us
    };
    struct Entry {
        std::uint32_t ref = 0;
        bool read_only = false;
        unsigned page = 0;
    };
    struct Mapping {
        std::uint32_t variable = 0;
        unsigned window = 0;
    };

    std::uint32_t pick(std::uint32_t n);
    bool one_in(std::uint32_t n) { return pick(n) == 0; }
    template <std::size_t N>
    std::int64_t any_of(const std::int64_t (&values)[N]) {
        return values[pick(N)];
    }
    template <class T>
    const T& any_of(const std::vector<T>& values) {
        return values[pick(static_cast<std::uint32_t>(values.size()))];
    }
    std::string wild_word(char kind);
    std::string wild();
    std::string channels();
    std::string grants();
    std::string new_channel();
    std::string new_entry();
    std::string map_entry();
    std::string copy_entries();
    std::string unmap();
    std::string port();
    std::string free_variable();
    Answered perform(const std::string& line);

    Interpreter interpreter_;
    std::uint64_t state_;
    std::uint32_t next_variable_ = 0;
    std::vector<Channel> channels_;
    std::vector<Entry> entries_;
    std::vector<Mapping> mappings_;
};

/// A script of `length` lines.
std::string generate(std::uint64_t seed, std::uint64_t length, Tally* tally = nullptr);

}  // namespace xenrig::hypercalls
