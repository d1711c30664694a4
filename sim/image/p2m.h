// How many frames hold a range of a PV guest's p2m: an entry is one guest word, and frames are counted whole.
#pragma once

#include <cstdint>

#include "xenrig/abi/types.h"

namespace xenrig::image {

/// For entries `first` to `last`, inclusive, of `width` bytes each.
constexpr std::uint64_t p2m_frame_count(std::uint32_t first, std::uint32_t last, std::uint8_t width) {
    const std::uint64_t per_frame = kPageSize / width;
    return last / per_frame - first / per_frame + 1;
}

}  // namespace xenrig::image
