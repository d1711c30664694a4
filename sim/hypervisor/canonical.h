// What x86 asks of a linear address that a register is to hold.
#pragma once

#include <cstdint>

namespace xenrig::hypervisor {

/// Canonical, as x86 calls it: the upper 17 bits are alike.
constexpr bool canonical(std::uint64_t address) {
    const auto upper = static_cast<std::int64_t>(address) >> 47;
    return upper == 0 || upper == -1;
}

}  // namespace xenrig::hypervisor
