#include "sim/hypervisor/debug_registers.h"

#include "sim/hypervisor/answer.h"
#include "sim/hypervisor/call.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/vcpu.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypervisor {

namespace {

constexpr std::uint32_t kStatus = 6, kControl = 7;

/// 4 and 5 are other names of 6 and 7.
constexpr std::uint32_t canonical_number(std::uint32_t number) {
    return number == 4 || number == 5 ? number + 2 : number;
}

/// The lower half, or above what is Xen's own.
bool guests_address(std::uint64_t address) { return address >> 47 == 0 || address >= HYPERVISOR_VIRT_END; }

}  // namespace

std::int64_t DebugRegisters::set(std::uint32_t number, std::uint64_t value) {
    number = canonical_number(number);
    if (number < addresses_.size()) {
        if (!guests_address(value)) return -error(Errno::perm);
        addresses_[number] = value;
        return 0;
    }
    if (number > kControl) return -error(Errno::nodev);
    if (value >> 32 != 0) return -error(Errno::inval);
    if (number == kStatus) {
        constexpr std::uint64_t kAlwaysZero = 0x1000, kAlwaysOne = 0xffff0ff0;
        status_ = (value & ~kAlwaysZero) | kAlwaysOne;
        return 0;
    }
    constexpr std::uint64_t kAlwaysZero = 0xd800, kAlwaysOne = 0x400, kGeneralDetect = 0x2000, kActive = 0xff;
    value = (value & ~kAlwaysZero) | kAlwaysOne;
    if ((value & kGeneralDetect) != 0) return -error(Errno::perm);
    // Breakpoints at ports need CR4.DE, which the guest has not set.
    constexpr unsigned kFirstKind = 16, kBitsPerKind = 4, kPort = 2;
    for (unsigned at = kFirstKind; (value & kActive) != 0 && at < 32; at += kBitsPerKind)
        if ((value >> at & 3) == kPort) return -error(Errno::perm);
    control_ = value;
    return 0;
}

std::optional<std::uint64_t> DebugRegisters::get(std::uint32_t number) const {
    number = canonical_number(number);
    if (number < addresses_.size()) return addresses_[number];
    if (number > kControl) return std::nullopt;
    return number == kStatus ? status_ : control_;
}

std::int64_t set_debugreg(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    return call.vcpu.debug.set(static_cast<std::uint32_t>(call.arg(0)), call.arg(1));
}

std::int64_t get_debugreg(Call& call) {
    if (call.domain.translated()) return -error(Errno::nosys);
    const auto value = call.vcpu.debug.get(static_cast<std::uint32_t>(call.arg(0)));
    if (!value) return -error(Errno::nodev);
    // A register of 32 bits may look like an error.
    return call.domain.config.bits == 32 ? static_cast<std::int32_t>(*value) : static_cast<std::int64_t>(*value);
}

}  // namespace xenrig::hypervisor
