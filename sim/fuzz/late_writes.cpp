#include "sim/fuzz/late_writes.h"

#include <algorithm>
#include <utility>

#include "xenrig/shared/raw.h"

namespace xenrig::fuzz {

void LateWrites::add(const shared::Window& page, std::size_t offset, std::uint64_t value, unsigned width) {
    constexpr std::size_t kMost = 8;
    if (late_.size() == kMost) return;
    late_.push_back({page.host_address(offset), value, width});
    if (inner_) return;
    inner_ = shared::watcher;
    shared::watcher = this;
}

void LateWrites::clear() {
    late_.clear();
    if (inner_) shared::watcher = std::exchange(inner_, nullptr);
}

void LateWrites::load(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
                      std::source_location where) {
    inner_->load(w, offset, out, length, fetch, where);
    if (late_.empty() || !theirs_()) return;
    shared::raw::for_each_page(w, offset, length, [&](const std::byte* page, std::size_t, std::size_t n) {
        const auto hit =
            std::ranges::find_if(late_, [&](const Late& l) { return page < l.at + l.width && l.at < page + n; });
        if (hit == late_.end()) return;
        const Late late = *hit;
        late_.erase(hit);
        ++done_;
        shared::raw::copy_to_page(late.at, reinterpret_cast<const std::byte*>(&late.value), late.width);
    });
}

}  // namespace xenrig::fuzz
