#include "sim/hypervisor/physmap.h"

#include <algorithm>

namespace xenrig::hypervisor {

/// The node below, made when it is missing. Only the hypervisor writes, one at a time.
template <class Node>
Node& Physmap::child(std::atomic<Node*>& slot) {
    Node* node = slot.load(std::memory_order_relaxed);
    if (!node) {
        slot.store(node = new Node{}, std::memory_order_release);
        ++nodes_;
    }
    return *node;
}

bool Physmap::fits(Gfn gfn) const {
    if (gfn >= kEnd) return false;
    const Middle* middle = top_[gfn.value >> 18].load(std::memory_order_relaxed);
    const bool leaf = middle && (*middle)[(gfn.value >> 9) & 511].load(std::memory_order_relaxed);
    return leaf || nodes_ + (middle ? 1 : 2) <= nodes_max_;
}

bool Physmap::set(Gfn gfn, Mfn mfn, PageType type) {
    if (!fits(gfn)) return false;
    Leaf& leaf = child(child(top_[gfn.value >> 18])[(gfn.value >> 9) & 511]);
    PhysmapEntry entry;
    entry.mfn = mfn.value & ((std::uint64_t{1} << 56) - 1);
    entry.type = type;
    leaf[gfn.value & 511].store(entry, std::memory_order_release);
    highest_ = std::max(highest_, gfn);
    return true;
}

void Physmap::clear(Gfn gfn) {
    if (at(gfn)) set(gfn, Mfn{0}, PageType::none);
}

void Physmap::reset() {
    const std::uint64_t end = highest_.value + 1;
    for (std::uint64_t t = 0; t << 18 < end; ++t) {
        const Middle* middle = top_[t].exchange(nullptr);
        for (std::uint64_t m = 0; middle && m < kFanOut && (t << 18 | m << 9) < end; ++m)
            delete (*middle)[m].load(std::memory_order_relaxed);
        delete middle;
    }
    nodes_ = 0;
}

}  // namespace xenrig::hypervisor
