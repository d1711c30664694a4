// Which of a block device's optional features its two ends of a scenario use.
//
// Drawn anew for each frontend and each backend, so that in a run any two meet, and a guest that moves finds a backend
// unlike the one it left. 0, the mildest, is a feature that is not there.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/world/scenario.h"

namespace xenrig::world {

class BlockFeatures {
public:
    /// A number below n.
    using Pick = std::function<std::uint32_t(std::uint32_t n)>;

    BlockFeatures() = default;
    BlockFeatures(FeatureChoice choice, Pick pick) : choice_(choice), pick_(std::move(pick)) {}

    blk::BlkfrontOptions frontend() const;
    blk::BlkbackOptions backend() const;
    /// The same, for ends that count sectors in this way.
    BlockFeatures counting(BlockUnits units) const;
    /// The same, but a frontend that uses as many queues as this where the backend has them.
    BlockFeatures with_queues(std::uint32_t queues) const;
    /// The same, for kernels whose word has so many bits.
    BlockFeatures with_word(unsigned bits) const;
    /// As blk::blkback_factory(), with options of its own for each device.
    xenbus::BackendFactory backends(Platform& platform, blk::StorageFactory storage) const;

private:
    blk::BlkfrontOptions draw_frontend() const;
    blk::BlkbackOptions draw_backend() const;

    FeatureChoice choice_ = FeatureChoice::all;
    blk::SectorUnits units_;
    blk::Layout layout_ = blk::Layout::x86_64;
    std::optional<std::uint32_t> queues_;
    Pick pick_;
};

}  // namespace xenrig::world
