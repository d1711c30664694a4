#include "sim/image/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace xenrig::image {

namespace {

using Lanes = std::array<std::uint64_t, 4>;

/// Odd, so that multiplying by it loses nothing (2^64 divided by the golden ratio).
constexpr std::uint64_t kOdd = 0x9e37'79b9'7f4a'7c15;

constexpr std::uint64_t step(std::uint64_t lane, std::uint64_t word) { return std::rotl((lane ^ word) * kOdd, 29); }

void add_block(Lanes& lanes, const std::byte* block) {
    Lanes words;
    std::memcpy(words.data(), block, sizeof words);
    for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = step(lanes[i], words[i]);
}

}  // namespace

void Checksum::add(std::span<const std::byte> bytes) {
    const std::size_t held = length_ % kBlock;
    length_ += bytes.size();
    if (held != 0) {
        const std::size_t n = std::min(kBlock - held, bytes.size());
        std::copy_n(bytes.begin(), n, held_.begin() + held);
        bytes = bytes.subspan(n);
        if (held + n < kBlock) return;
        add_block(lanes_, held_.data());
    }
    Lanes lanes = lanes_;
    for (; bytes.size() >= kBlock; bytes = bytes.subspan(kBlock)) add_block(lanes, bytes.data());
    lanes_ = lanes;
    std::ranges::copy(bytes, held_.begin());
}

std::uint64_t Checksum::value() const {
    Lanes lanes = lanes_;
    std::array<std::byte, kBlock> last{};
    std::copy_n(held_.begin(), length_ % kBlock, last.begin());
    add_block(lanes, last.data());
    std::uint64_t sum = length_;
    for (const std::uint64_t lane : lanes) sum = step(sum, lane ^ lane >> 31);
    return sum ^ sum >> 32;
}

}  // namespace xenrig::image
