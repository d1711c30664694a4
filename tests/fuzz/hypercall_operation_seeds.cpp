// Every sub-operation of every hypercall, by its number: with a struct of zeroes that names the caller, and with one of
// small numbers.
#include <array>

#include "sim/hypervisor/tools_abi.h"
#include "sim/hypervisor/xen_abi.h"
#include "tests/fuzz/hypercall_script.h"
#include "tests/fuzz/hypercall_seeds.h"

namespace xenrig::fuzz {

namespace {

using S = HypercallScript;

struct Family {
    const char* name;
    unsigned number, operations;
};
constexpr std::array kFamilies = {Family{"memory-op", __HYPERVISOR_memory_op, 29},
                                  Family{"vcpu-op", __HYPERVISOR_vcpu_op, 15},
                                  Family{"sched-op", __HYPERVISOR_sched_op, 9},
                                  Family{"xen-version", __HYPERVISOR_xen_version, 13},
                                  Family{"event-channel-op", __HYPERVISOR_event_channel_op, 15},
                                  Family{"grant-table-op", __HYPERVISOR_grant_table_op, 13},
                                  Family{"hvm-op", __HYPERVISOR_hvm_op, 26},
                                  Family{"physdev-op", __HYPERVISOR_physdev_op, 33}};

struct Kind {
    const char* name;
    unsigned byte;
};
constexpr std::array kKinds = {Kind{"pvh", 0}, Kind{"hvm-of-32-bits", kHvm | k32Bit}, Kind{"pv", kPv},
                               Kind{"pv-control-domain", kPv | kPrivileged}, Kind{"pvh-on-two-processors", kSmallHost}};

/// At address 0, which the next pointer is the same as.
void put_struct(S& s, std::initializer_list<std::uint64_t> words) {
    unsigned at = 0;
    for (const std::uint64_t word : words) s.poke(0, at++, S::number(word));
}

std::string every_operation(const Family& family, unsigned kind) {
    S s(kind, kind & kOfHelper);
    const int here = S::pointer(HypercallScript::Place::same);
    for (unsigned operation = family.operations; operation-- != 0;) {
        // Of its two vCPUs, one that waits leaves the other.
        s.by_hostile(operation & 1);
        put_struct(s, {DOMID_SELF, 0, 0, 0});
        s.any_call(family.number, operation, here);
        put_struct(s, {DOMID_SELF | std::uint64_t{1} << 32, 1, 8, 1});
        s.any_call(family.number, operation, here).toolstack(2);
    }
    return s.bytes();
}

constexpr int kHelper = 2, kSelf = 0;
constexpr unsigned kDomctls = 87, kSysctls = 30;

/// What ends the helper comes last.
template <class Play>
void each_domctl(Play play) {
    for (unsigned command = 1; command < kDomctls; ++command)
        if (command != XEN_DOMCTL_destroydomain) play(static_cast<int>(command));
    play(XEN_DOMCTL_destroydomain);
}

std::string every_domctl(unsigned kind, int of) {
    S s(kind | kPrivileged, 0);
    constexpr int kInOrder = 0, kLongs = 0, kWords = 1, kMany = 2, kBitmaps = 3;
    const unsigned domctl = __HYPERVISOR_domctl;
    each_domctl([&](int command) {
        s.call(domctl, kLongs, {command, of, 1, 1, 0, kInOrder}).call(domctl, kWords, {command, of, 0, 0, kInOrder});
        s.call(domctl, kMany, {command, of, 1, 1, 1, 1, kInOrder});
        s.call(domctl, kBitmaps, {command, of, 0, 1, 0, 64, 0, kInOrder});
    });
    return s.bytes();
}

std::string every_sysctl(unsigned kind) {
    S s(kind | kPrivileged, 0);
    constexpr int kInOrder = 0, kLongs = 0, kBitmaps = 1;
    for (int command = 1; command < static_cast<int>(kSysctls); ++command)
        for (const int small : {0, 1, 4}) {
            s.call(__HYPERVISOR_sysctl, kLongs, {command, small, 0, small, 0, kInOrder});
            s.call(__HYPERVISOR_sysctl, kBitmaps, {command, small, 0, 0, 1, 1, 0, kInOrder});
        }
    return s.bytes();
}

}  // namespace

std::vector<HypercallSeed> hypercall_operation_seeds() {
    std::vector<HypercallSeed> seeds;
    for (const Family& family : kFamilies)
        for (const Kind& kind : kKinds)
            seeds.push_back({std::string("operations-of-") + family.name + "-as-" + kind.name,
                             every_operation(family, kind.byte), family.operations});
    seeds.push_back({"domctls-of-the-helper-by-pv", every_domctl(kPv, kHelper), kDomctls});
    seeds.push_back({"domctls-of-the-helper-by-pvh", every_domctl(0, kHelper), kDomctls});
    seeds.push_back({"domctls-on-two-processors", every_domctl(kSmallHost, kHelper), kDomctls});
    seeds.push_back({"domctls-of-itself", every_domctl(kPv, kSelf), kDomctls});
    seeds.push_back({"sysctls-by-pv", every_sysctl(kPv), kSysctls});
    seeds.push_back({"sysctls-by-pvh-of-32-bits", every_sysctl(k32Bit), kSysctls});
    return seeds;
}

}  // namespace xenrig::fuzz
