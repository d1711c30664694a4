// Numbers in names and messages.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>

namespace xenrig::guest {

template <std::integral T>
std::string dec(T n) {
    return std::to_string(n);
}

/// "0x1f".
inline std::string hex(std::uint64_t n) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, n, 16).ptr;
    return "0x" + std::string(digits, end);
}

}  // namespace xenrig::guest
