#include "sim/hypervisor/physmap.h"

#include <algorithm>

namespace xenrig::hypervisor {

Physmap::Physmap() = default;
Physmap::~Physmap() = default;

bool Physmap::set(Gfn gfn, Mfn mfn, PageType type) {
    if (gfn >= kEnd) return false;
    auto& middle = top_[gfn.value >> 18];
    if (!middle) middle = std::make_unique<Middle>();
    auto& leaf = (*middle)[(gfn.value >> 9) & 511];
    if (!leaf) leaf = std::make_unique<Leaf>();
    PhysmapEntry& entry = (*leaf)[gfn.value & 511];
    entry.mfn = mfn.value & ((std::uint64_t{1} << 56) - 1);
    entry.type = type;
    highest_ = std::max(highest_, gfn);
    return true;
}

void Physmap::clear(Gfn gfn) {
    if (at(gfn)) set(gfn, Mfn{0}, PageType::none);
}

void Physmap::reset() {
    for (auto& middle : top_) middle.reset();
}

}  // namespace xenrig::hypervisor
