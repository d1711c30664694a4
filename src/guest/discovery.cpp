#include "xenrig/guest/discovery.h"

#include "apic.h"
#include "text.h"
#include "xenrig/abi/interrupts.h"

extern "C" {
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/xen.h>
}

namespace xenrig::guest {

namespace {

/// Any vector that the guest doesn't use otherwise: Linux takes 0xf3, and so do we.
constexpr std::uint8_t kCallbackVector = 0xf3;
constexpr unsigned kCallbackTypeShift = 56;

/// Where QEMU puts the Xen platform device, 00:02.0, and the pin that its INTA has (params.h; hvm_pci_intx_gsi).
constexpr std::uint64_t kPlatformDevice = 2, kPlatformIntx = 0;
constexpr unsigned kDeviceShift = 11;
constexpr unsigned kPlatformGsi = 16 + (kPlatformDevice * 4 + kPlatformDevice / 8 + kPlatformIntx) % 32;

}  // namespace

Result<> HvmDiscovery::add_to_physmap(unsigned space, std::uint64_t index, Gfn gfn) {
    xen_add_to_physmap_t add{};
    add.domid = DOMID_SELF;
    add.space = space;
    add.idx = index;
    add.gpfn = gfn.value;
    const std::int64_t answer = link_.call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add);
    if (answer < 0)
        return std::unexpected(hypercall_error(answer, "mapping space " + dec(space) + " index " + dec(index)));
    return {};
}

Result<Gfn> HvmDiscovery::shared_info() {
    if (!shared_info_) {
        const auto gfn = unpopulated_.take();
        if (!gfn) return gfn;
        shared_info_ = *gfn;
    }
    const auto added = add_to_physmap(XENMAPSPACE_shared_info, 0, *shared_info_);
    if (!added) return std::unexpected(added.error());
    return *shared_info_;
}

Result<Gfn> HvmDiscovery::grant_frame(unsigned index) {
    if (!grant_frames_.contains(index)) {
        const auto gfn = unpopulated_.take();
        if (!gfn) return gfn;
        grant_frames_[index] = *gfn;
    }
    const auto added = add_to_physmap(XENMAPSPACE_grant_table, index, grant_frames_[index]);
    if (!added) return std::unexpected(added.error());
    return grant_frames_[index];
}

Result<std::uint64_t> HvmDiscovery::param(std::uint32_t index) {
    xen_hvm_param_t param{};
    param.domid = DOMID_SELF;
    param.index = index;
    const std::int64_t answer = link_.call(__HYPERVISOR_hvm_op, HVMOP_get_param, &param);
    if (answer < 0) return std::unexpected(hypercall_error(answer, "HVMOP_get_param " + dec(index)));
    return param.value;
}

Result<RingPage> HvmDiscovery::ring_page(std::uint32_t pfn_index, std::uint32_t port_index) {
    const auto pfn = param(pfn_index);
    if (!pfn) return std::unexpected(pfn.error());
    const auto port = param(port_index);
    if (!port) return std::unexpected(port.error());
    // 0 is "none"; all ones is "none yet", for a ring that comes later.
    if (*pfn == 0 || *pfn == ~0ull || *port == 0) return fail(Errno::noent, "the toolstack made no such ring");
    return RingPage{Gfn{*pfn}, Port{static_cast<std::uint32_t>(*port)}};
}

Result<RingPage> HvmDiscovery::store() { return ring_page(HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN); }

Result<RingPage> HvmDiscovery::console() { return ring_page(HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN); }

Result<> HvmDiscovery::set_callback(std::uint64_t via) {
    xen_hvm_param_t param{};
    param.domid = DOMID_SELF;
    param.index = HVM_PARAM_CALLBACK_IRQ;
    param.value = via;
    const std::int64_t answer = link_.call(__HYPERVISOR_hvm_op, HVMOP_set_param, &param);
    if (answer < 0) return std::unexpected(hypercall_error(answer, "HVMOP_set_param HVM_PARAM_CALLBACK_IRQ"));
    return {};
}

Result<> HvmDiscovery::set_upcall_vectors() {
    for (std::uint32_t v = 0; v < link_.cpus().size(); ++v) {
        if (Interrupts* vcpu = link_.interrupts(VcpuId{v})) enable_local_apic(*vcpu);
        xen_hvm_evtchn_upcall_vector_t op{};
        op.vcpu = v;
        op.vector = kCallbackVector;
        const std::int64_t answer = link_.call(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &op);
        if (answer < 0) return std::unexpected(hypercall_error(answer, "HVMOP_set_evtchn_upcall_vector"));
    }
    // Toolstacks take a guest that has set it for one that knows Xen; a GSI that nobody asserts does no harm.
    return set_callback(1);
}

void HvmDiscovery::route(unsigned gsi) {
    for (std::uint32_t v = 0; v < link_.cpus().size(); ++v)
        if (Interrupts* vcpu = link_.interrupts(VcpuId{v})) enable_local_apic(*vcpu);
    if (Interrupts* vcpu = link_.interrupts(VcpuId{0})) route_level_line(*vcpu, gsi, kCallbackVector);
}

Result<> HvmDiscovery::enable_upcalls() {
    switch (way_) {
        case CallbackWay::vector:
            return set_callback(std::uint64_t{HVM_PARAM_CALLBACK_TYPE_VECTOR} << kCallbackTypeShift | kCallbackVector);
        case CallbackWay::per_vcpu:
            return set_upcall_vectors();
        case CallbackWay::gsi:
            route(kPlatformGsi);
            return set_callback(std::uint64_t{HVM_PARAM_CALLBACK_TYPE_GSI} << kCallbackTypeShift | kPlatformGsi);
        case CallbackWay::pci_intx:
            route(kPlatformGsi);
            return set_callback(std::uint64_t{HVM_PARAM_CALLBACK_TYPE_PCI_INTX} << kCallbackTypeShift |
                                kPlatformDevice << kDeviceShift | kPlatformIntx);
    }
    return {};
}

}  // namespace xenrig::guest
