// Xen's own console: what everybody wrote there last, for a toolstack to read (drivers/char/console.c: conring).
//
// Positions count up for ever and wrap at 32 bits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace xenrig::hypervisor {

class ConsoleRing {
public:
    void write(std::string_view text);
    struct Piece {
        std::string text;
        /// Behind its last byte.
        std::uint32_t end = 0;
    };
    /// At most `most` bytes from the oldest on, or from `from` if that is still there.
    Piece read(std::uint32_t most, const std::uint32_t* from) const;
    /// What lies before `end` is not read again.
    void forget(std::uint32_t end);

private:
    /// At least so many are kept, and at most twice as many.
    static constexpr std::size_t kBytes = 16 << 10;
    std::string text_;
    std::uint32_t begin_ = 0;
};

}  // namespace xenrig::hypervisor
