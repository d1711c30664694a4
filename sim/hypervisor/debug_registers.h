// A vCPU's debug registers as a PV guest sets and reads them by hypercall (x86/pv/misc-hypercalls.c: set_debugreg;
// x86emul_read_dr). No processor here breaks at them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace xenrig::hypervisor {

class DebugRegisters {
public:
    /// 0 or a negated Errno: EPERM for an address or a kind of breakpoint that is not the guest's, EINVAL for reserved
    /// bits, ENODEV for a register that there is not.
    std::int64_t set(std::uint32_t number, std::uint64_t value);
    /// Nothing for a register that there is not.
    std::optional<std::uint64_t> get(std::uint32_t number) const;

private:
    std::array<std::uint64_t, 4> addresses_{};
    std::uint64_t status_ = 0xffff0ff0, control_ = 0x400;
};

}  // namespace xenrig::hypervisor
