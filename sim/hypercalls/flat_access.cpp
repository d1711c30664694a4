#include "sim/hypercalls/flat_access.h"

#include <algorithm>
#include <cstring>

namespace xenrig::hypercalls {

template <class Each>
bool FlatAccess::walk(std::uint64_t address, std::size_t bytes, Each each) {
    for (std::size_t done = 0; done < bytes;) {
        std::byte* page = memory_.page(Gfn{(address + done) / kPageSize});
        if (!page) return false;
        const std::size_t offset = (address + done) % kPageSize;
        const std::size_t part = std::min<std::size_t>(bytes - done, kPageSize - offset);
        each(page + offset, done, part);
        done += part;
    }
    return true;
}

bool FlatAccess::copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) {
    return walk(from, bytes, [&](const std::byte* at, std::size_t done, std::size_t part) {
        std::memcpy(static_cast<std::byte*>(to) + done, at, part);
    });
}

bool FlatAccess::copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) {
    return walk(to, bytes, [&](std::byte* at, std::size_t done, std::size_t part) {
        std::memcpy(at, static_cast<const std::byte*>(from) + done, part);
    });
}

}  // namespace xenrig::hypercalls
