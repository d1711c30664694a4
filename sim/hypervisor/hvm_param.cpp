#include "sim/hypervisor/hvm_param.h"

#include <algorithm>

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

/// What a guest may set for itself; the rest is its builder's (hvm_allow_set_param).
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

bool guest_reads(std::uint32_t index) {
    return index == HVM_PARAM_STORE_PFN || index == HVM_PARAM_CONSOLE_PFN || index == HVM_PARAM_ALTP2M ||
           guest_sets(index);
}

/// Parameters of earlier versions, which params.h shows to the hypervisor alone.
enum Retired : std::uint32_t {
    kPaeEnabled = 4,
    kDmDomain = 13,
    kMemoryEventCr0 = 20,
    kMemoryEventCr3 = 21,
    kMemoryEventCr4 = 22,
    kMemoryEventInt3 = 23,
    kNestedHvm = 24,
    kMemoryEventSingleStep = 25,
    kBufioreqEvtchn = 26,
    kMemoryEventMsr = 30,
};

bool retired(std::uint32_t index) {
    switch (index) {
        case kPaeEnabled:
        case kDmDomain:
        case kMemoryEventCr0:
        case kMemoryEventCr3:
        case kMemoryEventCr4:
        case kMemoryEventInt3:
        case kNestedHvm:
        case kMemoryEventSingleStep:
        case kBufioreqEvtchn:
        case kMemoryEventMsr:
            return true;
        default:
            return false;
    }
}

bool set_once(std::uint32_t index) {
    return index == HVM_PARAM_IOREQ_PFN || index == HVM_PARAM_BUFIOREQ_PFN || index == HVM_PARAM_VIRIDIAN ||
           index == HVM_PARAM_IOREQ_SERVER_PFN || index == HVM_PARAM_NR_IOREQ_SERVER_PAGES ||
           index == HVM_PARAM_ALTP2M || index == HVM_PARAM_MCA_CAP;
}

/// The area for real mode: its address, its size above, and a mark that it is to be written anew.
constexpr std::uint64_t kTssUpdated = std::uint64_t{1} << 63;
/// A 32-bit task state segment; with all that may follow it: interrupts, ports, and a byte.
constexpr std::uint64_t kTssBytes = 104, kTssBytesMax = kTssBytes + 0x100 / 8 + 0x1'0000 / 8 + 1;

/// ACPI's S3: the vCPUs stand still until S0.
constexpr std::uint64_t kSleeping = 3;

void set_sleeping(Domain& d, bool sleeping) {
    if (sleeping == (d.params[HVM_PARAM_ACPI_S_STATE] == kSleeping)) return;
    for (const auto& v : d.vcpus) sleeping ? d.host.hold(*v) : d.host.let_go(*v);
}

std::int64_t nonsense(Domain& d, ParamAccess by) {
    if (by.itself) d.host.shut_down(d, SHUTDOWN_crash, by.vcpu);
    return -error(Errno::inval);
}

/// The value as it is kept, or why not (hvm_set_param).
std::int64_t checked(Domain& d, ParamAccess by, std::uint32_t& index, std::uint64_t& value) {
    switch (index) {
        case HVM_PARAM_TIMER_MODE:
            return value > HVMPTM_one_missed_tick_pending ? -error(Errno::inval) : 0;
        case HVM_PARAM_VIRIDIAN:
            // The basic features carry the others.
            return (value & ~std::uint64_t{HVMPV_feature_mask}) != 0 || (value & HVMPV_base_freq) == 0
                       ? -error(Errno::inval)
                       : 0;
        case HVM_PARAM_ALTP2M:
            if (by.vcpu && !by.vcpu->domain.privileged()) return -error(Errno::perm);
            return value > XEN_ALTP2M_limited ? -error(Errno::inval) : 0;
        case HVM_PARAM_ACPI_S_STATE:
            return value != 0 && value != kSleeping ? -error(Errno::inval) : 0;
        case HVM_PARAM_TRIPLE_FAULT_REASON:
            return value > SHUTDOWN_MAX ? -error(Errno::inval) : 0;
        case HVM_PARAM_NR_IOREQ_SERVER_PAGES:
            // As many as a mask of frames has bits.
            return value == 0 || value > 64 ? -error(Errno::inval) : 0;
        case HVM_PARAM_MCA_CAP:
            // The machine has nothing to offer.
            return value != 0 ? -error(Errno::inval) : 0;
        case HVM_PARAM_X87_FIP_WIDTH:
            return value == 0 || value == 4 || value == 8 ? 0 : -error(Errno::inval);
        case HVM_PARAM_ACPI_IOPORTS_LOCATION:
            // Of the virtual PM timer, which PVH has not; two places are known.
            if (d.config.type == GuestType::pvh) return -error(Errno::nodev);
            return value > 1 ? -error(Errno::inval) : 0;
        case HVM_PARAM_VM86_TSS:
            if (value >> 32 != 0) return nonsense(d, by);
            // From before there was a size.
            if (value != 0) value |= 128ull << 32 | kTssUpdated;
            index = HVM_PARAM_VM86_TSS_SIZED;
            return 0;
        case HVM_PARAM_VM86_TSS_SIZED:
            if (value >> 32 < kTssBytes) return nonsense(d, by);
            value = static_cast<std::uint32_t>(value) | std::min(value >> 32, kTssBytesMax) << 32 | kTssUpdated;
            return 0;
        default:
            return 0;
    }
}

}  // namespace

std::int64_t set_hvm_param(Domain& d, ParamAccess by, std::uint32_t index, std::uint64_t value) {
    if (!d.translated() || index >= HVM_NR_PARAMS || retired(index)) return -error(Errno::inval);
    if (by.itself && !guest_sets(index)) return -error(Errno::perm);
    if (set_once(index) && d.params[index] != 0 && d.params[index] != value) return -error(Errno::exist);
    if (const std::int64_t result = checked(d, by, index, value); result != 0) return result;
    if (index == HVM_PARAM_ACPI_S_STATE) set_sleeping(d, value == kSleeping);
    d.params[index] = value;
    if (index == HVM_PARAM_CALLBACK_IRQ) d.interrupts.set_callback(value);
    return 0;
}

std::int64_t get_hvm_param(const Domain& d, ParamAccess by, std::uint32_t index, std::uint64_t& value) {
    if (!d.translated() || index >= HVM_NR_PARAMS || retired(index)) return -error(Errno::inval);
    if (by.itself && !guest_reads(index)) return -error(Errno::perm);
    const std::uint64_t area = d.params[HVM_PARAM_VM86_TSS_SIZED];
    if (index == HVM_PARAM_VM86_TSS)
        value = static_cast<std::uint32_t>(area);
    else
        value = index == HVM_PARAM_VM86_TSS_SIZED ? area & ~kTssUpdated : d.params[index];
    return 0;
}

}  // namespace xenrig::hypervisor
