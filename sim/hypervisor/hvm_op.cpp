// __HYPERVISOR_hvm_op (x86/hvm/hvm.c: do_hvm_op): what a translated guest and its device model ask beside memory.
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/hvm_param.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

std::int64_t get_time(Call& call) {
    const xen_hvm_get_time_t op{call.host.machine.now().value};
    return call.put(op) ? 0 : -error(Errno::fault);
}

/// Shadow page tables would take it as a hint; there are none here, which Xen answers by EINVAL.
std::int64_t pagetable_dying(Call& call) {
    xen_hvm_pagetable_dying_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    const Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    return d == &call.domain ? -error(Errno::inval) : -error(Errno::opnotsupp);
}

/// From now on the vCPU's upcalls come by this vector of its local APIC.
std::int64_t set_upcall_vector(Call& call) {
    constexpr std::uint8_t kVectorMin = 0x10;
    if (!call.domain.translated()) return -error(Errno::inval);
    xen_hvm_evtchn_upcall_vector_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.vector < kVectorMin) return -error(Errno::inval);
    Vcpu* v = call.domain.vcpu(VcpuId{op.vcpu});
    if (!v) return -error(Errno::noent);
    v->upcall_vector = op.vector;
    call.domain.interrupts.events_pending(*v);
    return 0;
}

hvmmem_type_t mem_type(const PhysmapEntry& entry) {
    switch (entry.type) {
        case PageType::ram:
        case PageType::special:
        case PageType::pod:
            return HVMMEM_ram_rw;
        case PageType::grant_ro:
            return HVMMEM_ram_ro;
        default:
            return HVMMEM_mmio_dm;
    }
}

/// What stands at a gfn, to a guest that asks for itself and to its device model.
std::int64_t get_mem_type(Call& call) {
    xen_hvm_get_mem_type_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    const Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    if (!d->translated()) return -error(Errno::inval);
    op.mem_type = static_cast<std::uint16_t>(mem_type(d->physmap.at(Gfn{op.pfn})));
    return call.put(op) ? 0 : -error(Errno::fault);
}

/// HVMOP_xentrace: nobody reads traces here, so that a record is looked at and dropped.
std::int64_t trace(Call& call) {
    struct {
        std::uint16_t event, extra_bytes;
        std::uint8_t extra[28];
    } op;
    constexpr std::uint16_t kEvents = 0x0fff;
    if (!call.fetch(op)) return -error(Errno::fault);
    return op.extra_bytes <= sizeof op.extra && (op.event & ~kEvents) == 0 ? 0 : -error(Errno::inval);
}

std::int64_t param(Call& call, bool set) {
    xen_hvm_param_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    // Xen looks at the number before it looks for the domain.
    if (op.index >= HVM_NR_PARAMS) return -error(Errno::inval);
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!d->translated()) return -error(Errno::inval);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    const ParamAccess by{.itself = d == &call.domain, .vcpu = &call.vcpu};
    if (set) return set_hvm_param(*d, by, op.index, op.value);
    const std::int64_t result = get_hvm_param(*d, by, op.index, op.value);
    if (result != 0) return result;
    return call.put(op) ? 0 : -error(Errno::fault);
}

}  // namespace

std::int64_t hvm_op(Call& call) {
    // Operations that this hypervisor has and the public headers do not.
    constexpr std::uint32_t kXentrace = 11;
    switch (static_cast<std::uint32_t>(call.arg(0))) {
        case HVMOP_set_param:
            return param(call, true);
        case HVMOP_get_param:
            return param(call, false);
        case HVMOP_set_evtchn_upcall_vector:
            return set_upcall_vector(call);
        case HVMOP_flush_tlbs:
            // Translations are looked up anew each time.
            return call.arg(1) == 0 && call.domain.translated() ? 0 : -error(Errno::inval);
        case HVMOP_get_mem_type:
            return get_mem_type(call);
        case HVMOP_pagetable_dying:
            return pagetable_dying(call);
        case HVMOP_get_time:
            return get_time(call);
        case kXentrace:
            return trace(call);
        case HVMOP_guest_request_vm_event:
            // Nobody listens.
            return call.arg(1) == 0 ? 0 : -error(Errno::inval);
        case HVMOP_altp2m:
            return -error(Errno::opnotsupp);
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
