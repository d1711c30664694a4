// A script of hypercalls: one operation a line, `op arg arg … [=var]`, an argument a number (decimal, 0x, negative) or
// `$var`.
//
// Our bare kernel for real Xen (tests/interop/real-xen) reads the same text with the same leniency, so nothing is an
// error: what is no number is 0, and an operation that nobody knows is answered with `?`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xenrig::hypercalls {

/// Variables 0 to 1023, wrapped.
inline constexpr std::size_t kVariables = 1024;

struct Argument {
    bool variable = false;
    /// The value, or the variable's number.
    std::int64_t number = 0;
};

struct Operation {
    std::string name;
    /// Beyond those given all are 0.
    std::array<Argument, 10> arguments{};
    std::size_t arguments_given = 0;
    /// The variable that keeps the port or handle that comes back.
    std::optional<std::size_t> keep;
};

/// Nothing for an empty line and for a comment (`#` first).
std::optional<Operation> parse_line(std::string_view line);

}  // namespace xenrig::hypercalls
