#include "sim/fuzz/peer_values.h"

#include <algorithm>
#include <array>

#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

namespace {

constexpr std::array<std::uint64_t, 31> kEdges = {
    // A ring's slots, an operation's segments, an indirect page's, a disk's sectors.
    256, 257, 511, 512, 513, 4096, 8191, kSectors - 1, kSectors, kSectors + 1, 32, 33,
    // Words.
    0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000,
    0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffffe, 0xffffffffffffffff,
    // Sectors whose byte numbers wrap around.
    0x0080000000000000, 0x007fffffffffffff, 0x00fffffffffffff8};

constexpr std::array<const char*, kTexts> kGarbled = {"",
                                                      "-1",
                                                      "x",
                                                      "0x1",
                                                      "1 ",
                                                      "00",
                                                      "4294967295",
                                                      "4294967296",
                                                      "18446744073709551615",
                                                      "99999999999999999999",
                                                      "/local/domain/0",
                                                      "x86_32-abi",
                                                      "x86_64-abi",
                                                      "sparc-abi",
                                                      "\xff\xfe",
                                                      "1\n2"};

}  // namespace

std::uint64_t any_number(Input& input) {
    const std::uint8_t first = input.byte();
    if (first < kFirstEdge) return first;
    if (first != 0xff) return kEdges[first - kFirstEdge];
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i) value |= std::uint64_t{input.byte()} << (8 * i);
    return value;
}

std::uint8_t edge_byte(std::uint64_t value) {
    const auto found = std::ranges::find(kEdges, value);
    return static_cast<std::uint8_t>(found == kEdges.end() ? 0xff : kFirstEdge + (found - kEdges.begin()));
}

std::string any_text(Input& input) {
    const std::uint8_t which = input.byte();
    if (which < kTexts) return kGarbled[which];
    return std::to_string(which - kTexts);
}

std::uint8_t text_byte(const std::string& text) {
    const auto found = std::ranges::find(kGarbled, text);
    check(found != kGarbled.end(), "a seed's text is one of the table");
    return static_cast<std::uint8_t>(found - kGarbled.begin());
}

}  // namespace xenrig::fuzz
