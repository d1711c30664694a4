// A script of hypercalls: one operation a line, `[0:] op arg arg … [=var]`, an argument a number (decimal, 0x,
// negative),
// `$var`, or of one of the kernel's 16 pages and windows `@page` for its address, `%page` for its frame, `&window` for
// a window's address. A line with `0:` is dom0's to answer, which built the domain whose script it is.
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

enum class ArgumentKind : std::uint8_t { number, variable, page, window, frame };

struct Argument {
    ArgumentKind kind = ArgumentKind::number;
    /// The value, or the number of the variable, page or window.
    std::int64_t number = 0;
};

struct Operation {
    std::string name;
    /// dom0 answers it.
    bool by_control = false;
    /// Beyond those given all are 0.
    std::array<Argument, 10> arguments{};
    std::size_t arguments_given = 0;
    /// The variable that keeps the port or handle that comes back.
    std::optional<std::size_t> keep;
};

/// Nothing for an empty line and for a comment (`#` first).
std::optional<Operation> parse_line(std::string_view line);

}  // namespace xenrig::hypercalls
