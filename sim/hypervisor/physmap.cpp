#include "sim/hypervisor/physmap.h"

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
    const Top* top = top_of(gfn);
    const Middle* middle = top ? (*top)[gfn.value >> 18 & 511].load(std::memory_order_relaxed) : nullptr;
    if (middle && (*middle)[gfn.value >> 9 & 511].load(std::memory_order_relaxed)) return true;
    const unsigned tops = top ? 0 : far_.load(std::memory_order_relaxed) ? 1 : 2;
    return nodes_ + tops + (middle ? 1 : 2) <= nodes_max_;
}

bool Physmap::set(Gfn gfn, Mfn mfn, PageType type) {
    if (!fits(gfn)) return false;
    const std::size_t far = gfn.value >> kTopBits;
    Top& top = far == 0 ? top_ : child(child(far_)[far]);
    Leaf& leaf = child(child(top[gfn.value >> 18 & 511])[gfn.value >> 9 & 511]);
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

void Physmap::free_below(Top& top, std::uint64_t first) {
    for (std::uint64_t t = 0; t < slots(first, 18); ++t) {
        const Middle* middle = top[t].exchange(nullptr);
        for (std::uint64_t m = 0; middle && m < slots(first | t << 18, 9); ++m)
            delete (*middle)[m].load(std::memory_order_relaxed);
        delete middle;
    }
}

void Physmap::reset() {
    free_below(top_, 0);
    const Far* far = far_.exchange(nullptr);
    for (std::uint64_t f = 0; far && f < slots(0, kTopBits); ++f) {
        Top* top = (*far)[f].load(std::memory_order_relaxed);
        if (top) free_below(*top, f << kTopBits);
        delete top;
    }
    delete far;
    nodes_ = 0;
}

}  // namespace xenrig::hypervisor
