// The bytes of a fuzzer, taken from the front: when they are used up, every answer is 0, the mildest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace xenrig::fuzz {

class Input {
public:
    explicit Input(std::span<const std::byte> bytes) : rest_(bytes) {}

    bool empty() const { return rest_.empty(); }
    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_ = rest_.subspan(1);
        return value;
    }
    /// One byte for a small number, five for any.
    std::uint32_t number() {
        const std::uint8_t first = byte();
        if (first != 0xFF) return first;
        std::uint32_t value = 0;
        for (unsigned i = 0; i < 4; ++i) value |= std::uint32_t{byte()} << (8 * i);
        return value;
    }
    /// As many of `n` as there are.
    std::string take(std::size_t n) {
        const auto piece = rest_.first(std::min(n, rest_.size()));
        rest_ = rest_.subspan(piece.size());
        return {reinterpret_cast<const char*>(piece.data()), piece.size()};
    }
    /// One byte for the length, then that many bytes. A length of 255 stands for a long text, whose length comes as a
    /// number: one byte of it, many times.
    std::string text(std::size_t longest) {
        const std::uint8_t length = byte();
        if (length != 0xFF) return take(length);
        const std::size_t n = std::min<std::size_t>(number() * std::size_t{16}, longest);
        return std::string(n, static_cast<char>(byte()));
    }

private:
    std::span<const std::byte> rest_;
};

/// FNV-1a's step by words, with their upper halves folded in; the last bytes count as a word with zeroes.
class Hash {
public:
    void add(std::span<const std::byte> bytes) {
        for (std::uint64_t word = 0; !bytes.empty(); word = 0) {
            const std::size_t n = std::min(bytes.size(), sizeof word);
            std::memcpy(&word, bytes.data(), n);
            bytes = bytes.subspan(n);
            add(word);
        }
    }
    void add(std::uint64_t number) {
        value_ = (value_ ^ number) * 0x100'0000'01B3;
        value_ ^= value_ >> 32;
    }
    std::uint64_t value() const { return value_; }

private:
    std::uint64_t value_ = 0xCBF2'9CE4'8422'2325;
};

}  // namespace xenrig::fuzz
