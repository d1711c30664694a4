#include "sim/hypercalls/operations.h"

#include <cstdio>

#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypercalls {

void Answered::say(const char* name, std::int64_t value) {
    line += std::string(" ") + name + '=' + std::to_string(value);
}

void Answered::say_hex(const char* name, std::uint64_t value) {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%llx", static_cast<unsigned long long>(value));
    line += std::string(" ") + name + '=' + digits;
}

Answered Operations::run(std::string_view name, const Arguments& a) {
    Answered out;
    if (event(name, a, out) || fifo(name, a, out) || bits(name, a, out) || entry(name, a, out) || grant(name, a, out) ||
        bytes(name, a, out) || words(name, a, out))
        return out;
    out.line = " ?";
    out.well = false;
    return out;
}

}  // namespace xenrig::hypercalls
