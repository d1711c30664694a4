#include "sim/hypervisor/cpu_policy_op.h"

#include <algorithm>
#include <cstddef>
#include <memory>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domctl.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/host_processor.h"

namespace xenrig::hypervisor {

namespace {

const CpuPolicy& greatest_of(const Domain& d) {
    return system_policy(d.translated() ? SystemPolicy::hvm_max : SystemPolicy::pv_max);
}

/// As many as there is room for; ENOBUFS when that was too little, and then `room` stays.
template <class List>
std::int64_t put_list(Call& call, std::uint64_t at, const List& list, std::uint32_t& room) {
    std::uint32_t told = 0;
    for (const auto& entry : list) {
        if (told == room) return -error(Errno::nobufs);
        if (!call.guest.put(at + told * sizeof entry, entry)) return -error(Errno::fault);
        ++told;
    }
    room = told;
    return 0;
}

template <class Handle>
std::uint64_t address(const Handle& handle) {
    return reinterpret_cast<std::uint64_t>(handle.p);
}

std::int64_t fetch_leaves(Call& call, const xen_domctl_cpu_policy& op, CpuPolicy& into, PolicyErrors& wrong) {
    if (op.nr_leaves > CpuPolicy::kLeavesMax) return -error(Errno::toobig);
    for (std::uint32_t i = 0; i < op.nr_leaves; ++i) {
        NumberedLeaf one;
        if (!call.guest.fetch(one, address(op.leaves) + i * sizeof one)) return -error(Errno::fault);
        constexpr std::uint32_t kHypervisor = 0x40000000, kSecondHypervisor = 0x40000100;
        if (CpuidLeaf* found = into.find(one.leaf, one.subleaf)) {
            *found = one.is;
        } else if (one.leaf == kHypervisor && one.subleaf == kNoSubleaf) {
            into.hypervisor_leaves = one.is.a;
        } else if (one.leaf == kSecondHypervisor && one.subleaf == kNoSubleaf) {
            into.second_hypervisor_leaves = one.is.a;
        } else {
            wrong.leaf = one.leaf;
            wrong.subleaf = one.subleaf;
            return -error(Errno::range);
        }
    }
    return 0;
}

std::int64_t fetch_msrs(Call& call, const xen_domctl_cpu_policy& op, CpuPolicy& into, PolicyErrors& wrong) {
    if (op.nr_msrs > CpuPolicy::kMsrsMax) return -error(Errno::toobig);
    for (std::uint32_t i = 0; i < op.nr_msrs; ++i) {
        NumberedMsr one;
        if (!call.guest.fetch(one, address(op.msrs) + i * sizeof one)) return -error(Errno::fault);
        wrong.msr = one.index;
        if (one.flags != 0) return -error(Errno::inval);
        if (one.index == kPlatformInfo) {
            if (one.value >> 32 != 0) return -error(Errno::overflow);
            into.platform_info = one.value;
        } else if (one.index == kArchCapabilities) {
            into.arch_capabilities = one.value;
        } else {
            return -error(Errno::range);
        }
        wrong.msr = ~0u;
    }
    return 0;
}

std::int64_t update(Domctl& d, PolicyErrors& wrong) {
    const xen_domctl_cpu_policy& op = d.op.u.cpu_policy;
    auto next = std::make_unique<CpuPolicy>(policy_of(*d.domain));
    if (const std::int64_t rc = fetch_leaves(d.call, op, *next, wrong); rc != 0) return rc;
    if (const std::int64_t rc = fetch_msrs(d.call, op, *next, wrong); rc != 0) return rc;
    next->clear_out_of_range();
    if (!compatible(greatest_of(*d.domain), *next, wrong)) return -error(Errno::inval);
    recalculate(*next, greatest_of(*d.domain), !d.domain->translated() && d.domain->config.bits == 32);
    d.domain->cpu_policy = std::move(next);
    return 0;
}

/// Of a policy into a caller's lists; a null list asks how long one can be.
template <class Op>
std::int64_t put_policy(Call& call, const CpuPolicy& policy, Op& op) {
    if (op.leaves.p == nullptr)
        op.nr_leaves = CpuPolicy::kLeavesMax;
    else if (const std::int64_t rc = put_list(call, address(op.leaves), policy.leaves(), op.nr_leaves); rc != 0)
        return rc;
    if (op.msrs.p == nullptr) {
        op.nr_msrs = CpuPolicy::kMsrsMax;
        return 0;
    }
    return put_list(call, address(op.msrs), policy.msrs(), op.nr_msrs);
}

}  // namespace

CpuPolicy policy_of(const Domain& d) {
    if (d.cpu_policy) return *d.cpu_policy;
    CpuPolicy fresh = system_policy(d.translated() ? SystemPolicy::hvm_default : SystemPolicy::pv_default);
    recalculate(fresh, greatest_of(d), !d.translated() && d.config.bits == 32);
    return fresh;
}

std::int64_t get_cpu_policy(Domctl& d) {
    const std::int64_t rc = put_policy(d.call, policy_of(*d.domain), d.op.u.cpu_policy);
    d.answered = rc == 0;
    return rc;
}

std::int64_t set_cpu_policy(Domctl& d) {
    if (d.domain == &d.call.domain) return -error(Errno::inval);
    // Not once it has run.
    if (d.domain->creation_finished) return -error(Errno::exist);
    PolicyErrors wrong;
    const std::int64_t rc = update(d, wrong);
    if (rc == 0) return 0;
    auto& op = d.op.u.cpu_policy;
    op.err_leaf = wrong.leaf;
    op.err_subleaf = wrong.subleaf;
    op.err_msr = wrong.msr;
    d.answered = true;
    return rc;
}

std::int64_t get_system_policy(Call& call, xen_sysctl_t& op) {
    auto& asked = op.u.cpu_policy;
    if (asked._rsvd != 0 || asked.index >= kSystemPolicies) return -error(Errno::inval);
    const std::uint32_t room = asked.nr_msrs;
    const std::int64_t rc = put_policy(call, system_policy(static_cast<SystemPolicy>(asked.index)), asked);
    // The number of leaves is told even when the registers find no room.
    if (rc != 0) asked.nr_msrs = room;
    return call.put(op, 0) ? rc : -error(Errno::fault);
}

std::int64_t get_featureset(Call& call, xen_sysctl_t& op) {
    auto& asked = op.u.cpu_featureset;
    if (asked.features.p == nullptr) {
        asked.nr_features = kFeatureWords;
        return call.put(op, 0) ? 0 : -error(Errno::fault);
    }
    const auto told = std::min<std::uint32_t>(asked.nr_features, kFeatureWords);
    // Numbered otherwise than the policies.
    static constexpr SystemPolicy kByIndex[] = {SystemPolicy::raw,        SystemPolicy::host,
                                                SystemPolicy::pv_default, SystemPolicy::hvm_default,
                                                SystemPolicy::pv_max,     SystemPolicy::hvm_max};
    if (asked.index >= std::size(kByIndex)) return -error(Errno::inval);
    const Features words = system_policy(kByIndex[asked.index]).features();
    if (!call.guest.copy_to_guest(address(asked.features), words.data(), told * sizeof words[0]))
        return -error(Errno::fault);
    asked.nr_features = told;
    if (!call.put(op, 0)) return -error(Errno::fault);
    return told < kFeatureWords ? -error(Errno::nobufs) : 0;
}

}  // namespace xenrig::hypervisor
