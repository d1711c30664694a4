#include "sim/hypervisor/console_ring.h"

#include <algorithm>

namespace xenrig::hypervisor {

void ConsoleRing::write(std::string_view text) {
    text_ += text;
    if (text_.size() > 2 * kBytes) forget(begin_ + static_cast<std::uint32_t>(text_.size() - kBytes));
}

ConsoleRing::Piece ConsoleRing::read(std::uint32_t most, const std::uint32_t* from) const {
    const std::uint32_t skipped = from && *from - begin_ <= text_.size() ? *from - begin_ : 0;
    Piece piece{text_.substr(skipped, most), 0};
    piece.end = begin_ + skipped + static_cast<std::uint32_t>(piece.text.size());
    return piece;
}

void ConsoleRing::forget(std::uint32_t end) {
    const auto gone = std::min<std::size_t>(end - begin_, text_.size());
    text_.erase(0, gone);
    begin_ += static_cast<std::uint32_t>(gone);
}

}  // namespace xenrig::hypervisor
