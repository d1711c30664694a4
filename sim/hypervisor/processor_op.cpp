// What a PV guest asks of its processor: debug registers (x86/pv/misc-hypercalls.c) and NMIs (x86/pv/callback.c).
//
// The registers are kept for who reads them; no processor breaks at them here.
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/canonical.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/xen_abi.h"

#include <xen/nmi.h>

namespace xenrig::hypervisor {

namespace {

constexpr std::uint64_t kRegister = 0xffff'ffff;

/// DR6 and DR7 have bits that always read as one and bits that always read as zero.
std::uint64_t status_of(std::uint64_t value) { return (value & ~std::uint64_t{0x1000}) | 0xffff'0ff0; }
std::uint64_t control_of(std::uint64_t value) { return (value & 0xffff'27ff) | 0x400; }

/// A breakpoint at ports takes CR4.DE, which no guest here has; so does one that is turned on.
bool breaks_at_ports(std::uint64_t control) {
    constexpr unsigned kFirst = 16, kBits = 4, kPorts = 2;
    for (unsigned at = kFirst; at < 32; at += kBits)
        if ((control >> at & 3) == kPorts) return true;
    return false;
}

}  // namespace

std::int64_t set_debugreg(Call& call) {
    constexpr std::uint64_t kGeneralDetect = 0x2000, kActive = 0xff;
    const auto number = static_cast<std::uint32_t>(call.arg(0));
    const std::uint64_t value = call.arg(1);
    auto& registers = call.vcpu.debug_registers;
    switch (number) {
        case 0:
        case 1:
        case 2:
        case 3:
            if (!may_be_guests(call.domain, value)) return -error(Errno::perm);
            registers[number] = value;
            return 0;
        case 4:
        case 6:
            if (value > kRegister) return -error(Errno::inval);
            registers[6] = status_of(value);
            return 0;
        case 5:
        case 7: {
            if (value > kRegister) return -error(Errno::inval);
            const std::uint64_t control = control_of(value);
            if ((control & kGeneralDetect) != 0) return -error(Errno::perm);
            if ((control & kActive) != 0 && breaks_at_ports(control)) return -error(Errno::perm);
            registers[7] = control;
            return 0;
        }
        default:
            return -error(Errno::nodev);
    }
}

std::int64_t get_debugreg(Call& call) {
    const auto number = static_cast<std::uint32_t>(call.arg(0));
    if (number > 7) return -error(Errno::nodev);
    // 4 and 5 are other names of 6 and 7.
    const std::uint64_t value = call.vcpu.debug_registers[number == 4 || number == 5 ? number + 2 : number];
    return static_cast<std::int64_t>(value);
}

std::int64_t nmi_op(Call& call) {
    switch (static_cast<std::uint32_t>(call.arg(0))) {
        case XENNMI_register_callback: {
            const bool narrow = call.domain.config.bits == 32;
            std::uint64_t handler = 0, rest = 0;
            const bool read = narrow ? call.guest.copy_from_guest(&rest, call.arg(1), sizeof rest)
                                     : call.fetch(handler) && call.guest.fetch(rest, call.arg(1) + sizeof handler);
            if (!read) return -error(Errno::fault);
            return canonical(handler) ? 0 : -error(Errno::inval);
        }
        case XENNMI_unregister_callback:
            return 0;
        default:
            return -error(Errno::nosys);
    }
}

}  // namespace xenrig::hypervisor
