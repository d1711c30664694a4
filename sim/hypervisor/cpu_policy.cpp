#include "sim/hypervisor/cpu_policy.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace xenrig::hypervisor {

namespace {

/// Where a word of features stands: the leaf, its subleaf, the register. None for the two of a register.
struct FeatureWord {
    std::uint32_t leaf, subleaf;
    std::uint32_t CpuidLeaf::* word;
};
constexpr FeatureWord kFeatureWordsAt[] = {
    {1, kNoSubleaf, &CpuidLeaf::d},
    {1, kNoSubleaf, &CpuidLeaf::c},
    {kExtended | 1, kNoSubleaf, &CpuidLeaf::d},
    {kExtended | 1, kNoSubleaf, &CpuidLeaf::c},
    {0xd, 1, &CpuidLeaf::a},
    {7, 0, &CpuidLeaf::b},
    {7, 0, &CpuidLeaf::c},
    {kExtended | 7, kNoSubleaf, &CpuidLeaf::d},
    {kExtended | 8, kNoSubleaf, &CpuidLeaf::b},
    {7, 0, &CpuidLeaf::d},
    {7, 1, &CpuidLeaf::a},
    {kExtended | 0x21, kNoSubleaf, &CpuidLeaf::a},
    {7, 1, &CpuidLeaf::b},
    {7, 2, &CpuidLeaf::d},
    {7, 1, &CpuidLeaf::c},
    {7, 1, &CpuidLeaf::d},
    {0, 0, nullptr},
    {0, 0, nullptr},
    {kExtended | 0x21, kNoSubleaf, &CpuidLeaf::c},
};
static_assert(std::size(kFeatureWordsAt) == kFeatureWords);
constexpr std::size_t kArchLow = 16, kArchHigh = 17;

/// CPUID_COMMON_1D_FEATURES: what AMD's extended leaf says once more.
constexpr std::uint32_t kCommonFeatures = 0x0183f3ff;
constexpr std::uint32_t kLongMode = 1u << 29, kPae = 1u << 6, kPse36 = 1u << 17, kXsave = 1u << 26;
/// A feature, and those of one word that are nothing without it (gen-cpuid.py), of all that a host's processor has.
struct Needed {
    std::size_t word;
    std::uint32_t feature;
    std::size_t by_word;
    std::uint32_t by;
};
constexpr Needed kNeeded[] = {
    {0, 1u << 0, 0, 1u << 23},           // FPU: MMX
    {0, 1u << 3, 0, kPse36},             // PSE: PSE36
    {0, kPae, 2, kLongMode | 1u << 20},  // PAE: long mode, NX
    {0, 1u << 9, 1, 1u << 21},           // APIC: X2APIC
    {0, 1u << 24, 0, 1u << 25},          // FXSR: SSE
    {0, 1u << 25, 0, 1u << 26},          // SSE: SSE2
    {0, 1u << 26, 1, 1u << 0},           // SSE2: SSE3
    {0, 1u << 26, 2, kLongMode},         // SSE2: long mode
    {2, kLongMode, 1, 1u << 13},         // long mode: CX16
    {2, kLongMode, 3, 1u << 0},          // long mode: LAHF
    {2, kLongMode, 8, 1u << 20},         // long mode: NO_LMSL
};
static_assert(std::ranges::is_sorted(kNeeded, {}, &Needed::word), "one pass takes all away that goes");

/// In the word of extended leaf 1's c.
constexpr std::uint32_t kSvm = 1u << 2;

std::uint32_t max_extended(const CpuPolicy& p) { return p.extended[0].a & 0xffff; }

template <class Array>
void clear_from(Array& leaves, std::size_t first) {
    if (first < leaves.size())
        std::fill(leaves.begin() + static_cast<std::ptrdiff_t>(first), leaves.end(), CpuidLeaf{});
}

}  // namespace

std::vector<NumberedLeaf> CpuPolicy::leaves() const {
    std::vector<NumberedLeaf> all;
    const auto subleaves = [&](std::uint32_t leaf, const auto& from, std::size_t count) {
        for (std::uint32_t i = 0; i < count; ++i) all.push_back({leaf, i, from[i]});
    };
    // Up to the first one that is of no kind, which is told, too.
    const auto kinds = [](const auto& from, auto kind_of) {
        std::size_t count = 0;
        while (count < from.size() && kind_of(from[count++]) != 0) {
        }
        return count;
    };
    for (std::uint32_t leaf = 0; leaf <= std::min<std::uint32_t>(basic[0].a, kBasic - 1); ++leaf) {
        switch (leaf) {
            case 4:
                subleaves(leaf, cache, kinds(cache, [](const CpuidLeaf& l) { return l.a & 0x1f; }));
                break;
            case 7:
                subleaves(leaf, feature, std::min<std::size_t>(feature[0].a + std::size_t{1}, kFeatureLeaves));
                break;
            case 0xb:
                subleaves(leaf, topology, kinds(topology, [](const CpuidLeaf& l) { return l.c >> 8 & 0xff; }));
                break;
            case 0xd:
                // No state that xsave would keep: two leaves that are always there.
                subleaves(leaf, states, 2);
                break;
            default:
                all.push_back({leaf, kNoSubleaf, basic[leaf]});
        }
    }
    all.push_back({0x40000000, kNoSubleaf, {hypervisor_leaves}});
    all.push_back({0x40000100, kNoSubleaf, {second_hypervisor_leaves}});
    for (std::uint32_t leaf = 0; leaf <= std::min<std::uint32_t>(max_extended(*this), kExtendedLeaves - 1); ++leaf)
        all.push_back({kExtended | leaf, kNoSubleaf, extended[leaf]});
    return all;
}

std::array<NumberedMsr, CpuPolicy::kMsrsMax> CpuPolicy::msrs() const {
    return {NumberedMsr{kPlatformInfo, 0, platform_info}, NumberedMsr{kArchCapabilities, 0, arch_capabilities}};
}

const CpuidLeaf* CpuPolicy::find(std::uint32_t leaf, std::uint32_t subleaf) const {
    const auto in = [](const auto& leaves, std::size_t i) { return i < leaves.size() ? &leaves[i] : nullptr; };
    switch (leaf) {
        case 4:
            return in(cache, subleaf);
        case 7:
            return in(feature, subleaf);
        case 0xb:
            return in(topology, subleaf);
        case 0xd:
            return in(states, subleaf);
        default:
            break;
    }
    if (subleaf != kNoSubleaf) return nullptr;
    return leaf < kExtended ? in(basic, leaf) : in(extended, leaf - kExtended);
}

CpuidLeaf* CpuPolicy::find(std::uint32_t leaf, std::uint32_t subleaf) {
    return const_cast<CpuidLeaf*>(std::as_const(*this).find(leaf, subleaf));
}

Features CpuPolicy::features() const {
    Features words{};
    for (std::size_t i = 0; i < words.size(); ++i)
        if (const FeatureWord& at = kFeatureWordsAt[i]; at.word) words[i] = find(at.leaf, at.subleaf)->*at.word;
    words[kArchLow] = static_cast<std::uint32_t>(arch_capabilities);
    words[kArchHigh] = static_cast<std::uint32_t>(arch_capabilities >> 32);
    return words;
}

void CpuPolicy::set_features(const Features& words) {
    for (std::size_t i = 0; i < words.size(); ++i)
        if (const FeatureWord& at = kFeatureWordsAt[i]; at.word) find(at.leaf, at.subleaf)->*at.word = words[i];
    arch_capabilities = std::uint64_t{words[kArchHigh]} << 32 | words[kArchLow];
}

void CpuPolicy::clear_out_of_range() {
    const std::uint32_t max = basic[0].a;
    clear_from(basic, std::size_t{max} + 1);
    const auto first_none = [](const auto& leaves, auto kind_of) {
        return static_cast<std::size_t>(
            std::ranges::find_if(leaves, [&](const CpuidLeaf& l) { return kind_of(l) == 0; }) - leaves.begin());
    };
    clear_from(cache, max < 4 ? 0 : first_none(cache, [](const CpuidLeaf& l) { return l.a & 0x1f; }));
    clear_from(feature, max < 7 ? 0 : std::size_t{feature[0].a} + 1);
    clear_from(topology, max < 0xb ? 0 : first_none(topology, [](const CpuidLeaf& l) { return l.c >> 8 & 0xff; }));
    clear_from(states, 0);
    clear_from(extended, std::size_t{max_extended(*this)} + 1);
}

bool compatible(const CpuPolicy& greatest, const CpuPolicy& wanted, PolicyErrors& wrong) {
    if (wanted.basic[0].a > greatest.basic[0].a) {
        wrong.leaf = 0;
    } else if (wanted.feature[0].a > greatest.feature[0].a) {
        wrong.leaf = 7;
        wrong.subleaf = 0;
    } else if (wanted.extended[0].a > greatest.extended[0].a) {
        wrong.leaf = kExtended;
    } else if ((~greatest.platform_info & wanted.platform_info) != 0) {
        wrong.msr = kPlatformInfo;
    } else {
        return true;
    }
    return false;
}

namespace {

/// What an AMD processor's leaves say that no guest is told (recalculate_misc).
void hide(CpuPolicy& p) {
    p.basic[1].a &= 0x0fff0fff;
    p.basic[1].b &= 0x00ffffff;
    for (const std::size_t leaf : {2, 3, 5, 6, 8, 9, 0xa, 0xc}) p.basic[leaf] = {};
    p.cache.fill({});
    p.topology.fill({});
    p.extended[0].b = p.basic[0].b;
    p.extended[0].c = p.basic[0].c;
    p.extended[0].d = p.basic[0].d;
    p.extended[1].a = p.basic[1].a;
    p.extended[1].b &= 0xff00ffff;
    p.extended[1].d = (p.extended[1].d & ~kCommonFeatures) | (p.basic[1].d & kCommonFeatures);
    p.extended[7].a = p.extended[7].b = p.extended[7].c = 0;
    p.extended[8].a &= 0xffff;
    p.extended[8].c &= 0x0003f0ff;
    p.extended[8].d = 0;
    p.extended[9] = {};
    for (std::size_t leaf = 0xb; leaf <= 0x18; ++leaf) p.extended[leaf] = {};
    for (std::size_t leaf = 0x1b; leaf <= 0x20; ++leaf) p.extended[leaf] = {};
    p.extended[0x21].b = p.extended[0x21].d = 0;
    if ((p.extended[1].c & kSvm) == 0) p.extended[0xa] = {};
    constexpr std::uint32_t kGiantPages = 1u << 26;
    if ((p.extended[1].d & kGiantPages) == 0) p.extended[0x19] = {};
}

}  // namespace

void recalculate(CpuPolicy& p, const CpuPolicy& greatest, bool narrow_pv) {
    p.basic[0].a = std::min(p.basic[0].a, greatest.basic[0].a);
    p.feature[0].a = std::min(p.feature[0].a, greatest.feature[0].a);
    p.extended[0].a = kExtended | std::min<std::uint32_t>(max_extended(p), CpuPolicy::kExtendedLeaves - 1);

    Features words = p.features();
    Features most = greatest.features();
    // Nobody gets nested virtualisation here.
    most[3] &= ~kSvm;
    if (narrow_pv) most[2] &= ~kLongMode;
    for (std::size_t i = 0; i < words.size(); ++i) words[i] &= most[i];
    constexpr std::uint32_t kStateLeaf = 0xd;
    if (p.basic[0].a < kStateLeaf) words[1] &= ~kXsave;
    for (const Needed& need : kNeeded)
        if ((words[need.word] & need.feature) == 0) words[need.by_word] &= ~need.by;
    p.set_features(words);

    constexpr std::uint32_t kClflush = 0xff00;
    p.basic[1].b = (p.basic[1].b & ~kClflush) | (greatest.basic[1].b & kClflush);
    const std::uint32_t least = (words[0] & (kPae | kPse36)) != 0 ? 36 : 32;
    const std::uint32_t bits = std::max(std::min(p.extended[8].a & 0xff, greatest.extended[8].a & 0xff), least);
    const std::uint32_t linear = (words[2] & kLongMode) != 0 ? 48 : 32;
    p.extended[8].a = (p.extended[8].a & 0xffff0000) | linear << 8 | bits;
    // The processor has no xsave.
    p.states.fill({});
    hide(p);
}

}  // namespace xenrig::hypervisor
