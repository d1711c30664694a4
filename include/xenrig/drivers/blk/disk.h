// A disk as its users have it, whoever's frontend is behind it: operations are submitted, and done when they are done.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "xenrig/abi/error.h"
#include "xenrig/drivers/blk/blk_op.h"

namespace xenrig::blk {

/// What the backend says of the disk, in this connection.
struct DiskInfo {
    std::uint64_t sectors = 0;  ///< of 512 bytes
    std::uint32_t sector_bytes = 512;
    std::uint32_t physical_sector_bytes = 512;
    bool read_only = false;
    bool removable = false;
    /// A drive; with no sectors it is empty.
    bool cdrom = false;
    /// The backend can flush, by itself or by a barrier; a flush is answered EOPNOTSUPP where it can't.
    bool can_flush = false;
    bool can_barrier = false;
    /// Bytes that a discard should cover, and where the first of them begin; 0 where the backend can't discard.
    std::uint32_t discard_granularity = 0;
    std::uint32_t discard_alignment = 0;
    bool can_discard_securely = false;
};

class Disk {
public:
    virtual ~Disk() = default;

    /// Never blocks, never answers before it returns. Before the device is connected, and across a suspend, operations
    /// wait.
    virtual void submit(BlkOp& op) = 0;
    /// Blocks the calling task until the device is connected; the device's error when it is closed.
    virtual Result<DiskInfo> wait_connected() = 0;
    /// It was closed, and has not come back; any context.
    virtual bool closed() const = 0;
    /// Blocking. `sector` counts 512 bytes, `data` is whole sectors of the disk.
    virtual Result<> read(std::uint64_t sector, std::span<std::byte> data) = 0;
    virtual Result<> write(std::uint64_t sector, std::span<const std::byte> data) = 0;
};

}  // namespace xenrig::blk
