// What somebody outside the world asks of a guest's disk, in bytes: as NBD has it, not as the ring does.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "xenrig/abi/error.h"

namespace xenrig::serve {

/// Belongs to who asks, and stays where it is until `done` is called.
struct Request {
    enum class Kind : std::uint8_t { read, write, flush };

    Kind kind = Kind::read;
    /// A write is answered when it is durable: written, then flushed.
    bool durable = false;
    std::uint64_t offset = 0;          ///< bytes, whole sectors of 512
    std::span<std::byte> into;         ///< a read's bytes, whole sectors
    std::span<const std::byte> bytes;  ///< a write's, whole sectors

    std::uint64_t length() const { return kind == Kind::read ? into.size() : bytes.size(); }

    /// EINVAL: not whole sectors of the disk. EROFS. EIO, ENOSPC: what the image's file said. EIO, too, when the world
    /// itself has come to an end.
    Result<> result;
    /// Called once, by the thread that runs the world, perhaps in the middle of a step: must neither block nor ask.
    std::function<void(Request&)> done;
};

}  // namespace xenrig::serve
