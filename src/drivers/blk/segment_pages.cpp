#include "segment_pages.h"

#include <algorithm>

#include "xenrig/shared/door.h"

namespace xenrig::blk {

Result<std::shared_ptr<PersistentGrants::Page>> PersistentGrants::use(GrantRef ref) {
    if (const auto found = pages_.find(ref); found != pages_.end()) {
        turns_.splice(turns_.begin(), turns_, found->second.turn);
        ++found->second.page->users;
        return found->second.page;
    }
    if (pages_.size() >= limit_ && !make_room()) return nullptr;
    auto mapping = map({&ref, 1}, Access::read_write);
    if (!mapping) return std::unexpected(mapping.error());
    auto page = std::make_shared<Page>(std::move(*mapping), 1);
    turns_.push_front(ref);
    pages_.emplace(ref, Entry{page, turns_.begin()});
    return page;
}

Result<Mapping> PersistentGrants::map(std::span<const GrantRef> refs, Access access) {
    for (;;) {
        auto mapping = grants_.map(frontend_, refs, access);
        const bool no_space =
            !mapping && (mapping.error().code == Errno::nospc || mapping.error().code == Errno::nomem);
        if (!no_space || !make_room()) return mapping;
    }
}

bool PersistentGrants::make_room() {
    const auto idle = std::ranges::find_if(turns_.rbegin(), turns_.rend(),
                                           [this](GrantRef ref) { return pages_.at(ref).page->users == 0; });
    if (idle == turns_.rend()) return false;
    pages_.erase(*idle);
    turns_.erase(std::next(idle).base());
    return true;
}

SegmentPages& SegmentPages::operator=(SegmentPages&& other) noexcept {
    reset();
    places_ = std::move(other.places_);
    mappings_ = std::move(other.mappings_);
    kept_ = std::move(other.kept_);
    persistent_ = other.persistent_;
    return *this;
}

Result<SegmentPages> SegmentPages::map(std::span<const GrantRef> refs, Access access, PersistentGrants& persistent) {
    SegmentPages pages;
    pages.persistent_ = &persistent;
    pages.places_.resize(refs.size());
    std::vector<GrantRef> transient;
    std::vector<std::size_t> transient_at;
    for (std::size_t i = 0; i < refs.size(); ++i) {
        if (persistent.enabled()) {
            auto page = persistent.use(refs[i]);
            if (!page) return std::unexpected(page.error());
            if (*page) {
                pages.places_[i] = {(*page)->mapping.window()};
                pages.kept_.push_back(std::move(*page));
                continue;
            }
        }
        transient.push_back(refs[i]);
        transient_at.push_back(i);
    }
    for (std::size_t at = 0; at < transient.size(); at += shared::kWindowPagesMax) {
        const auto some = std::span(transient).subspan(at, std::min(shared::kWindowPagesMax, transient.size() - at));
        auto mapping = persistent.map(some, access);
        if (!mapping) return std::unexpected(mapping.error());
        for (std::size_t i = 0; i < some.size(); ++i)
            pages.places_[transient_at[at + i]] = {mapping->window(), i * kPageSize};
        pages.mappings_.push_back(std::move(*mapping));
    }
    return pages;
}

void SegmentPages::copy_out(std::size_t page, std::size_t offset, std::span<std::byte> to) const {
    shared::copy_out(places_[page].window, places_[page].offset + offset, to.data(), to.size());
}

void SegmentPages::copy_in(std::size_t page, std::size_t offset, std::span<const std::byte> from) const {
    shared::copy_in(places_[page].window, places_[page].offset + offset, from.data(), from.size());
}

void SegmentPages::reset() {
    places_.clear();
    mappings_.clear();
    for (const auto& page : kept_) persistent_->release(*page);
    kept_.clear();
}

}  // namespace xenrig::blk
