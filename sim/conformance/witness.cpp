#include "sim/conformance/witness.h"

#include "xenrig/shared/raw.h"

namespace xenrig::conformance {

SlotRewriter::SlotRewriter(const shared::Window& page, std::size_t offset, std::vector<std::byte> bytes,
                           std::function<bool()> theirs)
    : inner_(*shared::watcher), at_(page.host_address(offset)), bytes_(std::move(bytes)), theirs_(std::move(theirs)) {
    shared::watcher = this;
}

SlotRewriter::~SlotRewriter() { shared::watcher = &inner_; }

void SlotRewriter::load(const shared::Window& w, std::size_t offset, void* out, std::size_t length, shared::Fetch fetch,
                        std::source_location where) {
    // Where the access ends, which is not where it began when the window is of several pages; rings have one.
    const std::byte* const from = w.host_address(offset);
    inner_.load(w, offset, out, length, fetch, where);
    if (from >= at_ + bytes_.size() || at_ >= from + length || !theirs_()) return;
    ++reads_;
    shared::raw::copy_to_page(at_, bytes_.data(), bytes_.size());
}

}  // namespace xenrig::conformance
