#include "sim/hypercalls/script.h"

#include <algorithm>

namespace xenrig::hypercalls {

namespace {

constexpr std::size_t kNameMax = 15;

std::string_view next_word(std::string_view& rest) {
    const std::size_t begin = rest.find_first_not_of(' ');
    if (begin == std::string_view::npos) return {};
    rest.remove_prefix(begin);
    const std::size_t end = rest.find(' ');
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(word.size());
    return word;
}

/// The value of a digit, or 16.
std::uint64_t digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<std::uint64_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint64_t>(c - 'a') + 10;
    return 16;
}

/// As many digits as there are, wrapped to 64 bits.
std::int64_t number(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    std::uint64_t base = 10;
    if (text.starts_with("0x")) {
        base = 16;
        text.remove_prefix(2);
    }
    std::uint64_t value = 0;
    for (const char c : text) {
        const std::uint64_t d = digit(c);
        if (d >= base) break;
        value = value * base + d;
    }
    return static_cast<std::int64_t>(negative ? 0 - value : value);
}

ArgumentKind kind_of(char first) {
    switch (first) {
        case '$':
            return ArgumentKind::variable;
        case '@':
            return ArgumentKind::page;
        case '&':
            return ArgumentKind::window;
        case '%':
            return ArgumentKind::frame;
        default:
            return ArgumentKind::number;
    }
}

}  // namespace

std::optional<Operation> parse_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    Operation op;
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    op.by_control = line.starts_with("0:");
    if (op.by_control) line.remove_prefix(2);
    op.name = next_word(line).substr(0, kNameMax);
    if (op.name.empty() || op.name.front() == '#') return std::nullopt;
    for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
        if (word.front() == '=') {
            op.keep = static_cast<std::size_t>(number(word.substr(1))) % kVariables;
            continue;
        }
        if (op.arguments_given == op.arguments.size()) continue;
        const ArgumentKind kind = kind_of(word.front());
        op.arguments[op.arguments_given++] = {kind, number(kind == ArgumentKind::number ? word : word.substr(1))};
    }
    return op;
}

}  // namespace xenrig::hypercalls
