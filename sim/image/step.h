// What the steps of a reader share: the place that their errors name, and their answer.
#pragma once

#include <cstdint>
#include <string_view>

#include "xenrig/abi/error.h"

namespace xenrig::image {

/// Where in an image a reader is.
struct Place {
    std::uint64_t offset = 0;  ///< of the record's first byte
    std::string_view stream;   ///< libxl or libxc
    std::string_view part;     ///< the record's name, or the header's
};

/// A step that took its part goes on, unless what it did with it failed.
inline Result<bool> goes_on(const Result<>& applied) {
    if (!applied) return std::unexpected(applied.error());
    return true;
}

}  // namespace xenrig::image
