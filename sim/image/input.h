// The bytes that a Reader has not yet understood: gathers parts of a known length from pieces of any size.
//
// A part that lies in one piece is not copied. It counts every byte that is taken, and sums it (Checksum).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sim/image/checksum.h"

namespace xenrig::image {

class Input {
public:
    /// A new piece, which must stay where it is until it is used up.
    void piece(std::span<const std::byte> bytes) { rest_ = bytes; }
    bool empty() const { return rest_.empty(); }

    /// The next `length` bytes, or nothing until more pieces came. They hold until the next call, and, unless they were
    /// copied(), until the piece ends.
    std::optional<std::span<const std::byte>> part(std::size_t length);
    /// The last part was gathered from several pieces.
    bool copied() const { return whole_; }
    /// Drops as many of `length` bytes as there are, and returns how many.
    std::uint64_t skip(std::uint64_t length);

    /// Of all bytes taken; an incomplete part is not among them.
    std::uint64_t offset() const { return offset_; }
    const Checksum& sum() const { return sum_; }
    /// Of all bytes that came.
    std::uint64_t end() const { return offset_ + (whole_ ? 0 : held_.size()) + rest_.size(); }

private:
    void took(std::span<const std::byte> bytes);

    std::span<const std::byte> rest_;
    std::vector<std::byte> held_;  ///< the beginning of a part
    bool whole_ = false;           ///< held_ is a part that was given out
    std::uint64_t offset_ = 0;
    Checksum sum_;
};

}  // namespace xenrig::image
