// A domain's physical-to-machine map: which frame stands behind each of its gfns, and with what right.
//
// A radix tree of three levels for the first 512 GiB, so that a gfn costs three loads and a small domain a few pages;
// what lies beyond has a fourth, as the processor's tables do. A guest that maps here and there can't make it grow
// beyond `nodes_max` pages: as with Xen's pool of paging memory, what would need one more is refused. It holds no use
// of a frame: who puts an entry in or takes one out minds the frame's count.
#pragma once

#include <algorithm>
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
    /// Gfns below this fit: what four levels of the processor's nested tables reach.
    static constexpr Gfn kEnd{std::uint64_t{1} << 36};
    /// Of a PV guest that has loaded no page tables: there are some for the pages below.
    static constexpr Gfn kTablesEnd{std::uint64_t{1} << 27};

    explicit Physmap(std::uint64_t nodes_max) : nodes_max_(nodes_max) {}
    Physmap(const Physmap&) = delete;
    Physmap& operator=(const Physmap&) = delete;
    ~Physmap() { reset(); }

    /// From any thread, at any time: a guest looks while its other vCPUs map.
    PhysmapEntry at(Gfn gfn) const {
        if (gfn >= kEnd) return {};
        const Top* top = top_of(gfn);
        const Middle* middle = top ? (*top)[gfn.value >> 18 & 511].load(std::memory_order_acquire) : nullptr;
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
        for_each_in(top_, 0, visit);
        const Far* far = far_.load(std::memory_order_relaxed);
        for (std::uint64_t f = 0; far && f < slots(0, kTopBits); ++f)
            if (const Top* top = (*far)[f].load(std::memory_order_relaxed)) for_each_in(*top, f << kTopBits, visit);
    }
    /// The highest gfn that ever had an entry (XENMEM_maximum_gpfn).
    Gfn highest() const { return highest_; }

private:
    static constexpr std::size_t kFanOut = 512;
    static constexpr unsigned kTopBits = 27;
    using Leaf = std::array<std::atomic<PhysmapEntry>, kFanOut>;
    using Middle = std::array<std::atomic<Leaf*>, kFanOut>;
    using Top = std::array<std::atomic<Middle*>, kFanOut>;
    using Far = std::array<std::atomic<Top*>, kFanOut>;

    template <class F>
    void for_each_in(const Top& top, std::uint64_t first, F visit) const {
        for (std::uint64_t t = 0; t < slots(first, 18); ++t) {
            const Middle* middle = top[t].load(std::memory_order_relaxed);
            const std::uint64_t second = first | t << 18;
            for (std::uint64_t m = 0; middle && m < slots(second, 9); ++m) {
                const Leaf* leaf = (*middle)[m].load(std::memory_order_relaxed);
                const std::uint64_t third = second | m << 9;
                for (std::uint64_t l = 0; leaf && l < slots(third, 0); ++l)
                    if (const PhysmapEntry entry = (*leaf)[l].load(std::memory_order_relaxed))
                        visit(Gfn{third | l}, entry);
            }
        }
    }
    /// Of a node whose slots stand for 2^`bits` gfns each, from `first` on: those behind which there ever was an entry.
    std::uint64_t slots(std::uint64_t first, unsigned bits) const {
        return first > highest_.value ? 0 : std::min<std::uint64_t>(kFanOut, ((highest_.value - first) >> bits) + 1);
    }
    /// Null where a far one was never made.
    const Top* top_of(Gfn gfn) const {
        if (gfn.value >> kTopBits == 0) [[likely]]
            return &top_;
        const Far* far = far_.load(std::memory_order_acquire);
        return far ? (*far)[gfn.value >> kTopBits].load(std::memory_order_acquire) : nullptr;
    }
    void free_below(Top& top, std::uint64_t first);

    template <class Node>
    Node& child(std::atomic<Node*>& slot);

    Top top_{};
    /// Beyond the first 512 GiB, where hardly a guest ever has anything.
    std::atomic<Far*> far_{nullptr};
    Gfn highest_{};
    const std::uint64_t nodes_max_;
    std::uint64_t nodes_ = 0;
};

}  // namespace xenrig::hypervisor
