#include "sim/hypervisor/dirty_log.h"

#include <bit>

namespace xenrig::hypervisor {

namespace {
constexpr std::size_t kBits = 64;
}

void DirtyLog::disable() {
    const std::scoped_lock guard(lock_);
    enabled_ = false;
    blocks_.clear();
}

void DirtyLog::set(Gfn gfn) {
    const std::scoped_lock guard(lock_);
    const std::uint64_t bit = gfn.value % kGfnsPerBlock;
    blocks_[gfn.value / kGfnsPerBlock][bit / kBits] |= std::uint64_t{1} << bit % kBits;
}

bool DirtyLog::marked(Gfn gfn) const {
    const std::scoped_lock guard(lock_);
    const auto block = blocks_.find(gfn.value / kGfnsPerBlock);
    const std::uint64_t bit = gfn.value % kGfnsPerBlock;
    return block != blocks_.end() && (block->second[bit / kBits] >> bit % kBits & 1) != 0;
}

std::uint64_t DirtyLog::count() const {
    const std::scoped_lock guard(lock_);
    std::uint64_t marked = 0;
    for (const auto& [first, words] : blocks_)
        for (const std::uint64_t word : words) marked += static_cast<std::uint64_t>(std::popcount(word));
    return marked;
}

std::vector<Gfn> DirtyLog::clean() {
    const std::scoped_lock guard(lock_);
    std::vector<Gfn> found;
    for (const auto& [block, words] : blocks_) {
        for (std::size_t i = 0; i < words.size(); ++i)
            for (std::uint64_t bits = words[i]; bits != 0; bits &= bits - 1)
                found.push_back(
                    Gfn{block * kGfnsPerBlock + i * kBits + static_cast<std::uint64_t>(std::countr_zero(bits))});
    }
    blocks_.clear();
    return found;
}

}  // namespace xenrig::hypervisor
