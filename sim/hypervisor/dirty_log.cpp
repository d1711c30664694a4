#include "sim/hypervisor/dirty_log.h"

#include <bit>

namespace xenrig::hypervisor {

namespace {
constexpr std::size_t kBits = 64;
}

void DirtyLog::disable() {
    const std::scoped_lock guard(lock_);
    enabled_ = false;
    words_.clear();
}

void DirtyLog::set(Gfn gfn) {
    const std::scoped_lock guard(lock_);
    const auto word = static_cast<std::size_t>(gfn.value / kBits);
    if (word >= words_.size()) words_.resize(word + 1);
    words_[word] |= std::uint64_t{1} << (gfn.value % kBits);
}

bool DirtyLog::marked(Gfn gfn) const {
    const std::scoped_lock guard(lock_);
    const auto word = static_cast<std::size_t>(gfn.value / kBits);
    return word < words_.size() && (words_[word] >> (gfn.value % kBits) & 1) != 0;
}

std::vector<Gfn> DirtyLog::clean() {
    const std::scoped_lock guard(lock_);
    std::vector<Gfn> found;
    for (std::size_t i = 0; i < words_.size(); ++i) {
        for (std::uint64_t bits = words_[i]; bits != 0; bits &= bits - 1)
            found.push_back(Gfn{i * kBits + static_cast<std::size_t>(std::countr_zero(bits))});
    }
    words_.clear();
    return found;
}

}  // namespace xenrig::hypervisor
