#include "sim/hypervisor/host_processor.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint32_t kFamilyModelStepping = 0x00060fb1, kClflush64 = 0x0800;

CpuPolicy raw_policy() {
    CpuPolicy p;
    // "AuthenticAMD"
    p.basic[0] = {0xd, 0x68747541, 0x444d4163, 0x69746e65};
    p.basic[1] = {kFamilyModelStepping, kClflush64, 0x80002001, 0x078bfbfd};
    p.basic[5] = {0, 0, 3, 0};
    p.topology[0] = {0, 1, 0x100, 0};
    p.topology[1] = {0, 1, 0x201, 0};
    p.extended[0] = {0x8000000a, p.basic[0].b, p.basic[0].c, p.basic[0].d};
    p.extended[1] = {kFamilyModelStepping, 0, 0x5, 0x2193fbfd};
    // "QEMU Virtual CPU version 2.5+"
    p.extended[2] = {0x554d4551, 0x72695620, 0x6c617574, 0x55504320};
    p.extended[3] = {0x72657620, 0x6e6f6973, 0x352e3220, 0x2b};
    // Caches and TLBs of the first two levels.
    p.extended[5] = {0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140};
    p.extended[6] = {0, 0x42004200, 0x02008140, 0x00808140};
    // 40 bits of addresses, 48 of linear ones.
    p.extended[8] = {0x3028, 0, 0, 0};
    // SVM: revision 1, 16 address spaces, nested paging.
    p.extended[0xa] = {1, 0x10, 0, 1};
    return p;
}

/// As Xen has it after its own workarounds (calculate_host_policy): leaves up to those that it knows, no sysenter.
CpuPolicy host_policy() {
    CpuPolicy p = raw_policy();
    p.basic[1].d = 0x078bf3fd;
    p.basic[5] = {};
    p.topology.fill({});
    p.extended[0].a = kExtended | (CpuPolicy::kExtendedLeaves - 1);
    p.extended[0xa].d = 0x31;
    // LFENCE is serialising.
    p.extended[0x21].a = 4;
    return p;
}

struct Differs {
    std::uint32_t f1d, f1c, e1d, e1c, e8b, e21a, feature_leaves;
    bool svm;
    std::uint32_t platform_info;
};

CpuPolicy guest_policy(const Differs& is) {
    CpuPolicy p = host_policy();
    p.basic[1].d = is.f1d;
    p.basic[1].c = is.f1c;
    p.extended[1].d = is.e1d;
    p.extended[1].c = is.e1c;
    p.extended[8].b = is.e8b;
    p.extended[0x21].a = is.e21a;
    p.feature[0].a = is.feature_leaves;
    if (!is.svm) p.extended[0xa] = {};
    p.platform_info = is.platform_info;
    return p;
}

/// CPUID faults in HVM guests' user code, which costs nothing there.
constexpr std::uint32_t kFaults = 1u << 31;
constexpr std::uint32_t kE1d = 0x20100800;

}  // namespace

const CpuPolicy& system_policy(SystemPolicy which) {
    static const std::array<CpuPolicy, kSystemPolicies> kAll = {
        raw_policy(),
        host_policy(),
        guest_policy({0x1789c3f5, 0x80202001, kE1d, 3, 0, 0x24, 2, false, 0}),
        guest_policy({0x178bfbfd, 0x80202001, kE1d, 7, 0x100000, 0x24, 2, true, kFaults}),
        guest_policy({0x0789c3f5, 0x80002001, kE1d, 1, 0, 4, 0, false, 0}),
        guest_policy({0x078bfbfd, 0x80202001, kE1d, 1, 0x100000, 4, 0, true, kFaults}),
    };
    return kAll[static_cast<std::size_t>(which)];
}

}  // namespace xenrig::hypervisor
