// Numbers in store nodes: decimal text that somebody else wrote, so strictly read and bounded by what it is stored in.
#pragma once

#include <concepts>
#include <limits>
#include <string>

#include "xenrig/platform/store.h"

namespace xenrig::xenbus {

/// Decimal digits and nothing else, at most `max`. EINVAL with the path and the text when garbled, the store's own
/// error (ENOENT) when it can't be read.
Result<std::uint64_t> read_number(Store& store, const std::string& path, std::uint64_t max);

/// The same, bounded by the type: read_number<std::uint32_t>(store, path).
template <std::unsigned_integral T>
Result<T> read_number(Store& store, const std::string& path) {
    auto n = read_number(store, path, std::numeric_limits<T>::max());
    if (!n) return std::unexpected(n.error());
    return static_cast<T>(*n);
}

/// A node that may be missing: then, and when it is garbled, the protocol's default is in effect.
template <std::unsigned_integral T>
T read_number_or(Store& store, const std::string& path, T absent) {
    return read_number<T>(store, path).value_or(absent);
}

/// A boolean node that says whether the peer can do something. Missing, garbled and 0 mean no.
inline bool read_feature(Store& store, const std::string& path) {
    return read_number_or<std::uint32_t>(store, path, 0) != 0;
}

}  // namespace xenrig::xenbus
