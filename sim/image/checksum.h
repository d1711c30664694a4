// A sum over the bytes of an image, against damage, not against forgery: Xen's format has none of its own.
//
// Four lanes take 8 bytes in turn, each by a step that is one-to-one in the lane and in the bytes, so damage that stays
// within one aligned word is always found; any other goes unseen with a chance of about 2^-64. How the bytes are cut
// into calls makes no difference.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace xenrig::image {

class Checksum {
public:
    void add(std::span<const std::byte> bytes);
    /// Of all that was added, and of how much it was.
    std::uint64_t value() const;

private:
    static constexpr std::size_t kBlock = 32;

    std::array<std::uint64_t, 4> lanes_{1, 2, 3, 4};
    std::uint64_t length_ = 0;
    std::array<std::byte, kBlock> held_{};  ///< the last length_ % kBlock bytes
};

}  // namespace xenrig::image
