// __HYPERVISOR_hvm_op: the parameters of an HVM or PVH guest (hvm.c: hvm_allow_set_param, hvm_allow_get_param).
#include "sim/hypervisor/hvm_param.h"

#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// What a guest may set for itself; the rest is its builder's.
bool guest_sets(std::uint32_t index) {
    switch (index) {
        case HVM_PARAM_CALLBACK_IRQ:
        case HVM_PARAM_VM86_TSS:
        case HVM_PARAM_VM86_TSS_SIZED:
        case HVM_PARAM_ACPI_IOPORTS_LOCATION:
        case HVM_PARAM_VM_GENERATION_ID_ADDR:
        case HVM_PARAM_STORE_EVTCHN:
        case HVM_PARAM_CONSOLE_EVTCHN:
        case HVM_PARAM_X87_FIP_WIDTH:
            return true;
        default:
            return false;
    }
}

/// The default device model's: the public headers name them for tools alone.
bool retired(std::uint32_t index) {
    constexpr std::uint32_t kDmDomain = 13, kBufioreqEvtchn = 26;
    return index == kDmDomain || index == kBufioreqEvtchn;
}

bool guest_reads(std::uint32_t index) {
    return index == HVM_PARAM_STORE_PFN || index == HVM_PARAM_CONSOLE_PFN || guest_sets(index);
}

bool set_once(std::uint32_t index) {
    return index == HVM_PARAM_VIRIDIAN || index == HVM_PARAM_IOREQ_SERVER_PFN ||
           index == HVM_PARAM_NR_IOREQ_SERVER_PAGES || index == HVM_PARAM_ALTP2M || index == HVM_PARAM_MCA_CAP;
}

std::int64_t get_time(Call& call) {
    xen_hvm_get_time_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    op.now = call.host.machine.now().value;
    return call.put(op) ? 0 : -error(Errno::fault);
}

/// Shadow page tables would take it as a hint; there are none here, which Xen answers by EINVAL.
std::int64_t pagetable_dying(Call& call) {
    xen_hvm_pagetable_dying_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    return call.host.find_any(DomId{op.domid}, call.domain) ? -error(Errno::inval) : -error(Errno::srch);
}

}  // namespace

std::int64_t set_hvm_param(Domain& d, bool by_itself, std::uint32_t index, std::uint64_t value) {
    if (!d.translated() || index >= HVM_NR_PARAMS) return -error(Errno::inval);
    if (retired(index)) return -error(Errno::perm);
    if (by_itself && !guest_sets(index)) return -error(Errno::perm);
    std::uint64_t& param = d.params[index];
    if (set_once(index) && param != 0 && param != value) return -error(Errno::exist);
    param = value;
    return 0;
}

std::int64_t get_hvm_param(const Domain& d, bool by_itself, std::uint32_t index, std::uint64_t& value) {
    if (!d.translated() || index >= HVM_NR_PARAMS) return -error(Errno::inval);
    if (by_itself && !guest_reads(index)) return -error(Errno::perm);
    value = d.params[index];
    return 0;
}

std::int64_t hvm_op(Call& call) {
    const auto op_number = static_cast<std::uint32_t>(call.arg(0));
    if (op_number == HVMOP_get_time) return get_time(call);
    if (op_number == HVMOP_pagetable_dying) return pagetable_dying(call);
    if (op_number != HVMOP_set_param && op_number != HVMOP_get_param) return -error(Errno::nosys);
    xen_hvm_param_t op;
    if (!call.fetch(op)) return -error(Errno::fault);
    if (op.index >= HVM_NR_PARAMS) return -error(Errno::inval);
    Domain* d = call.host.find_any(DomId{op.domid}, call.domain);
    if (!d) return -error(Errno::srch);
    if (!d->translated()) return -error(Errno::inval);
    if (!may_target(call.domain, *d)) return -error(Errno::perm);
    const bool by_itself = d == &call.domain;
    if (op_number == HVMOP_set_param) return set_hvm_param(*d, by_itself, op.index, op.value);
    const std::int64_t result = get_hvm_param(*d, by_itself, op.index, op.value);
    if (result != 0) return result;
    return call.put(op) ? 0 : -error(Errno::fault);
}

}  // namespace xenrig::hypervisor
