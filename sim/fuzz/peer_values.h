// Numbers and texts that break parsers: what a hostile peer writes into fields and nodes.
#pragma once

#include <cstdint>
#include <string>

#include "sim/fuzz/input.h"

namespace xenrig::fuzz {

/// Of the disks that hostile peers have a part in; 512 bytes each.
inline constexpr std::uint64_t kSectors = 64;

/// One byte below kFirstEdge: itself; then so many edges of 8, 16, 32 and 64 bits and of a disk; 255: eight bytes of
/// any number.
std::uint64_t any_number(Input& input);
inline constexpr std::uint8_t kFirstEdge = 224;
/// The byte that stands for an edge; 255 when it is none.
std::uint8_t edge_byte(std::uint64_t value);

/// One byte below kTexts: a garbled or surprising text; else the number that is left, in decimal.
std::string any_text(Input& input);
inline constexpr std::uint8_t kTexts = 16;
/// The byte that stands for a text of the table; checks that there is one.
std::uint8_t text_byte(const std::string& text);

}  // namespace xenrig::fuzz
