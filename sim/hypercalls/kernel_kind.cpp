#include "sim/hypercalls/kernel_kind.h"

#include <algorithm>
#include <array>

namespace xenrig::hypercalls {

std::span<const KernelKind> kernel_kinds() {
    using hypervisor::GuestType;
    static constexpr std::array kKinds = {
        KernelKind{"dom0", "xen-3.0-x86_64", GuestType::pv, 64, true},
        KernelKind{"dom0-32", "xen-3.0-x86_32p", GuestType::pv, 32, true},
        KernelKind{"domu", "xen-3.0-x86_64", GuestType::pv, 64, false},
        KernelKind{"domu-32", "xen-3.0-x86_32p", GuestType::pv, 32, false},
        KernelKind{"pvh", "pvh-64", GuestType::pvh, 64, false},
        KernelKind{"pvh-32", "pvh-32", GuestType::pvh, 32, false},
    };
    return kKinds;
}

const KernelKind* find_kernel_kind(std::string_view name) {
    const auto kinds = kernel_kinds();
    const auto found = std::ranges::find(kinds, name, &KernelKind::name);
    return found == kinds.end() ? nullptr : &*found;
}

}  // namespace xenrig::hypercalls
