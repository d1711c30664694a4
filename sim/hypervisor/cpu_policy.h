// What a domain's processor says of itself: CPUID leaves and two model-specific registers (Xen: struct cpu_policy,
// lib/x86/cpuid.c, lib/x86/msr.c, cpu-policy.c).
//
// A toolstack reads a policy as a list of leaves and writes it back, changed: what it asks for beyond the greatest
// policy that a domain of its kind can have is refused where it is a number of leaves, and left out where it is a
// feature.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace xenrig::hypervisor {

struct CpuidLeaf {
    std::uint32_t a = 0, b = 0, c = 0, d = 0;
    friend bool operator==(const CpuidLeaf&, const CpuidLeaf&) = default;
};

/// xen_cpuid_leaf_t
struct NumberedLeaf {
    std::uint32_t leaf, subleaf;
    CpuidLeaf is;
};
static_assert(sizeof(NumberedLeaf) == 24);

/// xen_msr_entry_t
struct NumberedMsr {
    std::uint32_t index, flags;
    std::uint64_t value;
};
static_assert(sizeof(NumberedMsr) == 16);

/// XEN_CPUID_NO_SUBLEAF
inline constexpr std::uint32_t kNoSubleaf = 0xffffffff;
inline constexpr std::uint32_t kExtended = 0x80000000;
inline constexpr std::uint32_t kPlatformInfo = 0xce, kArchCapabilities = 0x10a;

/// Words of features (cpufeatureset.h: FEATURESET_*), in the order in which toolstacks take them.
inline constexpr std::size_t kFeatureWords = 19;
using Features = std::array<std::uint32_t, kFeatureWords>;

struct CpuPolicy {
    static constexpr std::size_t kBasic = 0xe, kExtendedLeaves = 0x22, kCaches = 6, kFeatureLeaves = 3, kLevels = 2,
                                 kStates = 63;
    /// The most leaves that a list can have: those above, and two of the hypervisor's.
    static constexpr std::uint32_t kLeavesMax =
        kBasic + kExtendedLeaves + kCaches + kFeatureLeaves + kLevels + kStates - 4 + 2;
    static constexpr std::uint32_t kMsrsMax = 2;

    std::array<CpuidLeaf, kBasic> basic{};
    std::array<CpuidLeaf, kExtendedLeaves> extended{};
    /// Leaves 4, 7, 0xb and 0xd, by their subleaves.
    std::array<CpuidLeaf, kCaches> cache{};
    std::array<CpuidLeaf, kFeatureLeaves> feature{};
    std::array<CpuidLeaf, kLevels> topology{};
    std::array<CpuidLeaf, kStates> states{};
    std::uint32_t hypervisor_leaves = 0, second_hypervisor_leaves = 0;
    std::uint64_t platform_info = 0, arch_capabilities = 0;

    /// Those that it has, as a list.
    std::vector<NumberedLeaf> leaves() const;
    std::array<NumberedMsr, kMsrsMax> msrs() const;
    /// Null where no policy has such a leaf.
    CpuidLeaf* find(std::uint32_t leaf, std::uint32_t subleaf);
    const CpuidLeaf* find(std::uint32_t leaf, std::uint32_t subleaf) const;
    Features features() const;
    void set_features(const Features& words);

    /// Leaves beyond those that it says it has become zeroes.
    void clear_out_of_range();
};

/// The leaf or register because of which a policy is refused; ~0 for none.
struct PolicyErrors {
    std::uint32_t leaf = ~0u, subleaf = ~0u, msr = ~0u;
};
/// Can a domain's processor be that? (x86_cpu_policies_are_compatible)
bool compatible(const CpuPolicy& greatest, const CpuPolicy& wanted, PolicyErrors& wrong);
/// As a domain sees it: no feature beyond the greatest, nothing of what Xen hides (recalculate_cpuid_policy).
void recalculate(CpuPolicy& policy, const CpuPolicy& greatest, bool narrow_pv);

}  // namespace xenrig::hypervisor
