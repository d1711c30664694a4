// A domain's physical-to-machine map: which frame stands behind each of its gfns, and with what right.
//
// A radix tree of three levels, so that a gfn costs three loads wherever it lies, and a small domain a few pages.
// It holds no use of a frame: who puts an entry in or takes one out minds the frame's count.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

/// p2m_type_t, as far as a guest can tell the difference.
enum class PageType : std::uint8_t { none, ram, special, grant_rw, grant_ro, foreign };

struct PhysmapEntry {
    std::uint64_t mfn : 56 = 0;
    PageType type : 8 = PageType::none;

    explicit operator bool() const { return type != PageType::none; }
    Mfn frame() const { return Mfn{mfn}; }
    bool granted() const { return type == PageType::grant_rw || type == PageType::grant_ro; }
    /// Frames of the domain itself.
    bool own() const { return type == PageType::ram || type == PageType::special; }
};

class Physmap {
public:
    /// Gfns below this fit: 512 GiB of guest-physical space.
    static constexpr Gfn kEnd{std::uint64_t{1} << 27};

    Physmap();
    ~Physmap();

    PhysmapEntry at(Gfn gfn) const {
        if (gfn >= kEnd) return {};
        const auto& middle = top_[gfn.value >> 18];
        if (!middle) return {};
        const auto& leaf = (*middle)[(gfn.value >> 9) & 511];
        return leaf ? (*leaf)[gfn.value & 511] : PhysmapEntry{};
    }
    /// False when the gfn lies beyond kEnd.
    bool set(Gfn gfn, Mfn mfn, PageType type);
    void clear(Gfn gfn);
    /// Frees everything.
    void reset();

    /// Calls `visit(gfn, entry)` for each entry, ascending.
    template <class F>
    void for_each(F visit) const {
        for (std::size_t t = 0; t < top_.size(); ++t) {
            if (!top_[t]) continue;
            for (std::size_t m = 0; m < kFanOut; ++m) {
                const auto& leaf = (*top_[t])[m];
                if (!leaf) continue;
                for (std::size_t l = 0; l < kFanOut; ++l)
                    if ((*leaf)[l]) visit(Gfn{(t << 18) | (m << 9) | l}, (*leaf)[l]);
            }
        }
    }
    /// The highest gfn that ever had an entry (XENMEM_maximum_gpfn).
    Gfn highest() const { return highest_; }

private:
    static constexpr std::size_t kFanOut = 512;
    using Leaf = std::array<PhysmapEntry, kFanOut>;
    using Middle = std::array<std::unique_ptr<Leaf>, kFanOut>;

    std::array<std::unique_ptr<Middle>, kFanOut> top_;
    Gfn highest_{};
};

}  // namespace xenrig::hypervisor
