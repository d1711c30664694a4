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
    for (auto& top : top_) {
        Middle* middle = top.exchange(nullptr);
        if (!middle) continue;
        for (auto& leaf : *middle) delete leaf.load(std::memory_order_relaxed);
        delete middle;
    }
    nodes_ = 0;
}

}  // namespace xenrig::hypervisor
