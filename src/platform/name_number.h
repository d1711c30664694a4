// The number under which the world knows a lock or a queue: a hash of its name, so it is the same in every run.
#pragma once

#include <cstdint>
#include <string_view>

namespace xenrig {

/// FNV-1a, 64 bits.
constexpr std::uint64_t name_number(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

}  // namespace xenrig
