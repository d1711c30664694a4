// A long run of bytes of which few were ever written: the rest reads as zeros and costs nothing.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <span>

#include "xenrig/abi/types.h"

namespace xenrig::blk {

class SparseBytes {
public:
    void read(std::uint64_t offset, std::span<std::byte> out) const;
    void write(std::uint64_t offset, std::span<const std::byte> in);
    /// From now on zeros.
    void discard(std::uint64_t offset, std::uint64_t length);
    /// Bytes of memory that stand behind it.
    std::size_t footprint() const { return pages_.size() * kPageSize; }

private:
    using Page = std::array<std::byte, kPageSize>;
    std::map<std::uint64_t, std::unique_ptr<Page>> pages_;
};

}  // namespace xenrig::blk
