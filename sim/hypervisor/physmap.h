// A domain's physical-to-machine map: which frame stands behind each of its gfns, and with what right.
//
// A radix tree of three levels, so that a gfn costs three loads wherever it lies, and a small domain a few pages. A
// guest that maps here and there can't make it grow beyond `nodes_max` pages: as with Xen's pool of paging memory, what
// would need one more is refused.
// It holds no use of a frame: who puts an entry in or takes one out minds the frame's count.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

/// p2m_type_t, as far as a guest can tell the difference.
enum class PageType : std::uint8_t { none, ram, special, grant_rw, grant_ro, foreign, pod };

struct PhysmapEntry {
    std::uint64_t mfn : 56 = 0;
    PageType type : 8 = PageType::none;

    explicit operator bool() const { return type != PageType::none; }
    Mfn frame() const { return Mfn{mfn}; }
    bool granted() const { return type == PageType::grant_rw || type == PageType::grant_ro; }
    /// Frames of the domain itself.
    bool own() const { return type == PageType::ram || type == PageType::special; }
    /// Frames of others, which nothing but an unmap takes away.
    bool others() const { return granted() || type == PageType::foreign; }
};

static_assert(std::atomic<PhysmapEntry>::is_always_lock_free);

class Physmap {
public:
    /// Gfns below this fit: 512 GiB of guest-physical space.
    static constexpr Gfn kEnd{std::uint64_t{1} << 27};

    explicit Physmap(std::uint64_t nodes_max) : nodes_max_(nodes_max) {}
    Physmap(const Physmap&) = delete;
    Physmap& operator=(const Physmap&) = delete;
    ~Physmap() { reset(); }

    /// From any thread, at any time: a guest looks while its other vCPUs map.
    PhysmapEntry at(Gfn gfn) const {
        if (gfn >= kEnd) return {};
        const Middle* middle = top_[gfn.value >> 18].load(std::memory_order_acquire);
        if (!middle) return {};
        const Leaf* leaf = (*middle)[(gfn.value >> 9) & 511].load(std::memory_order_acquire);
        return leaf ? (*leaf)[gfn.value & 511].load(std::memory_order_acquire) : PhysmapEntry{};
    }
    /// Is there room for an entry, below kEnd and within the limit?
    bool fits(Gfn gfn) const;
    /// False when it does not fit.
    bool set(Gfn gfn, Mfn mfn, PageType type);
    void clear(Gfn gfn);
    /// Frees everything. Nobody may look any more.
    void reset();

    /// Calls `visit(gfn, entry)` for each entry, ascending.
    template <class F>
    void for_each(F visit) const {
        for (std::size_t t = 0; t < kFanOut; ++t) {
            const Middle* middle = top_[t].load(std::memory_order_relaxed);
            for (std::size_t m = 0; middle && m < kFanOut; ++m) {
                const Leaf* leaf = (*middle)[m].load(std::memory_order_relaxed);
                for (std::size_t l = 0; leaf && l < kFanOut; ++l)
                    if (const PhysmapEntry entry = (*leaf)[l].load(std::memory_order_relaxed))
                        visit(Gfn{(t << 18) | (m << 9) | l}, entry);
            }
        }
    }
    /// Pages that the map has, and may have.
    std::uint64_t nodes() const { return nodes_; }
    std::uint64_t nodes_max() const { return nodes_max_; }
    void set_nodes_max(std::uint64_t most) { nodes_max_ = most; }
    /// The highest gfn that ever had an entry (XENMEM_maximum_gpfn).
    Gfn highest() const { return highest_; }

private:
    static constexpr std::size_t kFanOut = 512;
    using Leaf = std::array<std::atomic<PhysmapEntry>, kFanOut>;
    using Middle = std::array<std::atomic<Leaf*>, kFanOut>;

    template <class Node>
    Node& child(std::atomic<Node*>& slot);

    std::array<std::atomic<Middle*>, kFanOut> top_{};
    Gfn highest_{};
    std::uint64_t nodes_max_;
    std::uint64_t nodes_ = 0;
};

}  // namespace xenrig::hypervisor
