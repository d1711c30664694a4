#include "xenrig/drivers/blk/sparse_bytes.h"

#include <algorithm>
#include <cstring>

namespace xenrig::blk {

void SparseBytes::read(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
        const std::size_t inside = offset % kPageSize;
        const std::size_t n = std::min(out.size(), kPageSize - inside);
        const auto page = pages_.find(offset / kPageSize);
        if (page == pages_.end())
            std::memset(out.data(), 0, n);
        else
            std::memcpy(out.data(), page->second->data() + inside, n);
        offset += n;
        out = out.subspan(n);
    }
}

void SparseBytes::write(std::uint64_t offset, std::span<const std::byte> in) {
    while (!in.empty()) {
        const std::size_t inside = offset % kPageSize;
        const std::size_t n = std::min(in.size(), kPageSize - inside);
        auto& page = pages_[offset / kPageSize];
        if (!page) page = std::make_unique<Page>();
        std::memcpy(page->data() + inside, in.data(), n);
        offset += n;
        in = in.subspan(n);
    }
}

void SparseBytes::discard(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t end = offset + length;
    // Of a page that is touched in part, that part; whole pages go.
    for (auto page = pages_.lower_bound(offset / kPageSize); page != pages_.end() && page->first * kPageSize < end;) {
        const std::uint64_t begins = page->first * kPageSize;
        const std::uint64_t from = std::max(offset, begins) - begins,
                            to = std::min(end - begins, std::uint64_t{kPageSize});
        if (from == 0 && to == kPageSize) {
            page = pages_.erase(page);
        } else {
            std::memset(page->second->data() + from, 0, to - from);
            ++page;
        }
    }
}

}  // namespace xenrig::blk
