// The parameters by which a builder tells an HVM or PVH guest where its store and console are (hvm/params.h), with
// Xen's checks of each.
#pragma once

#include <cstdint>

namespace xenrig::hypervisor {

class Domain;
class Vcpu;

/// Who asks: the guest for itself, which may do less than its builder, and the vCPU whose hypercall it is.
struct ParamAccess {
    bool itself = false;
    Vcpu* vcpu = nullptr;
};

/// 0 or a negated Errno. Some nonsense of a guest's own ends it, as on Xen.
std::int64_t set_hvm_param(Domain& d, ParamAccess by, std::uint32_t index, std::uint64_t value);
std::int64_t get_hvm_param(const Domain& d, ParamAccess by, std::uint32_t index, std::uint64_t& value);

}  // namespace xenrig::hypervisor
