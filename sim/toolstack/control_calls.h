// The control domain's hypercalls about other domains, as libxenctrl wraps them: one function an operation.
//
// Each is made on the vCPU whose task calls, and is a choice point like any other hypercall.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"

struct vcpu_guest_context;

namespace xenrig::toolstack {

class Host;

class ControlCalls {
public:
    /// `bits`: the word of a PV domain, which says how its context is laid out.
    ControlCalls(Host& host, DomId domain, unsigned bits) : host_(host), domain_(domain), bits_(bits) {}

    /// XENMEM_populate_physmap for these pages of a PV domain: the machine frames that it got. ENOMEM for fewer.
    Result<std::vector<Mfn>> populate(std::span<const Gfn> pages);
    /// MMUEXT_CLEAR_PAGE.
    Result<> clear_page(Mfn mfn);
    /// MMUEXT_PIN_L1_TABLE to _L4_TABLE.
    Result<> pin_table(unsigned level, Mfn mfn);
    /// XEN_DOMCTL_getdomaininfo.
    Result<Mfn> shared_info();
    /// XEN_DOMCTL_setvcpucontext and getvcpucontext; on the way it has the domain's own layout.
    Result<> set_context(VcpuId vcpu, const vcpu_guest_context& context);
    Result<vcpu_guest_context> context(VcpuId vcpu);
    /// XEN_DOMCTL_getpageframeinfo3, a batch at a time: XEN_DOMCTL_PFINFO_* of each frame.
    Result<std::vector<std::uint32_t>> page_types(const std::vector<Mfn>& frames);

private:
    Result<> extended(unsigned command, Mfn mfn);
    std::int64_t pass_context(unsigned command, VcpuId vcpu, void* context);
    Result<> failed(std::int64_t answer, const std::string& what) const;

    Host& host_;
    const DomId domain_;
    const unsigned bits_;
};

}  // namespace xenrig::toolstack
