#include "sim/image/input.h"

#include <algorithm>

namespace xenrig::image {

void Input::took(std::span<const std::byte> bytes) {
    sum_.add(bytes);
    offset_ += bytes.size();
}

std::optional<std::span<const std::byte>> Input::part(std::size_t length) {
    if (whole_) {
        held_.clear();
        whole_ = false;
    }
    if (held_.empty() && rest_.size() >= length) {
        const auto bytes = rest_.first(length);
        rest_ = rest_.subspan(length);
        took(bytes);
        return bytes;
    }
    const auto more = rest_.first(std::min(rest_.size(), length - held_.size()));
    held_.insert(held_.end(), more.begin(), more.end());
    rest_ = rest_.subspan(more.size());
    if (held_.size() < length) return std::nullopt;
    whole_ = true;
    took(held_);
    return held_;
}

std::uint64_t Input::skip(std::uint64_t length) {
    const auto bytes = rest_.first(std::min<std::uint64_t>(rest_.size(), length));
    rest_ = rest_.subspan(bytes.size());
    took(bytes);
    return bytes.size();
}

}  // namespace xenrig::image
