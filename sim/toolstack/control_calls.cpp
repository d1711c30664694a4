#include "sim/toolstack/control_calls.h"

#include <algorithm>

#include "sim/hypervisor/tools_abi.h"
#include "sim/toolstack/host.h"
#include "xenrig/abi/compat_layout.h"

namespace xenrig::toolstack {

namespace {

const CompatLayout& narrow_layout() { return *compat_argument(__HYPERVISOR_vcpu_op, VCPUOP_initialise)->layout; }

}  // namespace

Result<> ControlCalls::failed(std::int64_t answer, const std::string& what) const {
    return fail(static_cast<Errno>(-answer), what + " of domain " + std::to_string(domain_.value) + " failed");
}

Result<std::vector<Mfn>> ControlCalls::populate(std::span<const Gfn> pages) {
    std::vector<xen_pfn_t> extents;
    extents.reserve(pages.size());
    for (const Gfn gfn : pages) extents.push_back(gfn.value);
    const std::size_t frames = extents.size();
    xen_memory_reservation_t op{};
    op.extent_start.p = extents.data();
    op.nr_extents = frames;
    op.domid = domain_.value;
    const std::int64_t done = host_.hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, &op);
    if (done != static_cast<std::int64_t>(frames))
        return fail(Errno::nomem, "domain " + std::to_string(domain_.value) + " got " + std::to_string(done) + " of " +
                                      std::to_string(frames) + " frames: raise the host's frames");
    std::vector<Mfn> got;
    got.reserve(extents.size());
    for (const xen_pfn_t mfn : extents) got.push_back(Mfn{mfn});
    return got;
}

Result<> ControlCalls::extended(unsigned command, Mfn mfn) {
    mmuext_op_t op{};
    op.cmd = command;
    op.arg1.mfn = mfn.value;
    const std::int64_t answer = host_.hypercall(__HYPERVISOR_mmuext_op, &op, 1u, std::uint64_t{0}, domain_.value);
    if (answer < 0) return failed(answer, "MMUEXT operation " + std::to_string(command) + " on a frame");
    return {};
}

Result<> ControlCalls::clear_page(Mfn mfn) { return extended(MMUEXT_CLEAR_PAGE, mfn); }

Result<> ControlCalls::pin_table(unsigned level, Mfn mfn) { return extended(MMUEXT_PIN_L1_TABLE + level - 1, mfn); }

Result<Mfn> ControlCalls::shared_info() {
    xen_domctl_t op{};
    op.cmd = XEN_DOMCTL_getdomaininfo;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = domain_.value;
    const std::int64_t answer = host_.hypercall(__HYPERVISOR_domctl, &op);
    if (answer < 0) return std::unexpected(failed(answer, "XEN_DOMCTL_getdomaininfo").error());
    return Mfn{op.u.getdomaininfo.shared_info_frame};
}

std::int64_t ControlCalls::pass_context(unsigned command, VcpuId vcpu, void* context) {
    xen_domctl_t op{};
    op.cmd = command;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op.domain = domain_.value;
    op.u.vcpucontext.vcpu = vcpu.value;
    op.u.vcpucontext.ctxt.p = static_cast<vcpu_guest_context_t*>(context);
    return host_.hypercall(__HYPERVISOR_domctl, &op);
}

Result<> ControlCalls::set_context(VcpuId vcpu, const vcpu_guest_context& context) {
    vcpu_guest_context_t wide = context;
    std::vector<std::byte> narrow;
    if (bits_ == 32) narrow = narrowed(narrow_layout(), reinterpret_cast<const std::byte*>(&wide));
    void* const given = bits_ == 32 ? static_cast<void*>(narrow.data()) : &wide;
    const std::int64_t answer = pass_context(XEN_DOMCTL_setvcpucontext, vcpu, given);
    if (answer < 0) return failed(answer, "XEN_DOMCTL_setvcpucontext");
    return {};
}

Result<vcpu_guest_context_t> ControlCalls::context(VcpuId vcpu) {
    vcpu_guest_context_t wide{};
    std::vector<std::byte> narrow(narrow_layout().compat_size);
    void* const taken = bits_ == 32 ? static_cast<void*>(narrow.data()) : &wide;
    const std::int64_t answer = pass_context(XEN_DOMCTL_getvcpucontext, vcpu, taken);
    if (answer < 0) return std::unexpected(failed(answer, "XEN_DOMCTL_getvcpucontext").error());
    if (bits_ == 32) widen(narrow_layout(), narrow.data(), reinterpret_cast<std::byte*>(&wide));
    return wide;
}

Result<std::vector<std::uint32_t>> ControlCalls::page_types(const std::vector<Mfn>& frames) {
    constexpr std::size_t kBatch = 1024;
    std::vector<std::uint32_t> types;
    for (std::size_t first = 0; first < frames.size(); first += kBatch) {
        const std::size_t n = std::min(kBatch, frames.size() - first);
        std::vector<xen_pfn_t> batch;
        batch.reserve(n);
        for (std::size_t i = 0; i < n; ++i) batch.push_back(frames[first + i].value);
        xen_domctl_t op{};
        op.cmd = XEN_DOMCTL_getpageframeinfo3;
        op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
        op.domain = domain_.value;
        op.u.getpageframeinfo3.num = n;
        op.u.getpageframeinfo3.array.p = batch.data();
        const std::int64_t answer = host_.hypercall(__HYPERVISOR_domctl, &op);
        if (answer < 0) return std::unexpected(failed(answer, "XEN_DOMCTL_getpageframeinfo3").error());
        for (const xen_pfn_t type : batch) types.push_back(static_cast<std::uint32_t>(type));
    }
    return types;
}

}  // namespace xenrig::toolstack
