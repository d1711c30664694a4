// The kinds of bare kernel that a script can be answered by: how Xen starts the domain, its word, its rights.
//
// tests/interop/real-xen builds each of them for a real Xen (build-kernel.sh), under the same name.
#pragma once

#include <span>
#include <string_view>

#include "sim/hypervisor/hypervisor.h"

namespace xenrig::hypercalls {

struct KernelKind {
    std::string_view name;
    /// What it calls itself: start_info's magic, or for PVH, which has none, a name of our own.
    std::string_view magic;
    hypervisor::GuestType type;
    unsigned bits;
    /// dom0 itself; any other is built by a 64-bit PV dom0, which answers the lines that begin with `0:`.
    bool privileged;
};

/// dom0 first.
std::span<const KernelKind> kernel_kinds();
/// Null for a name that is none.
const KernelKind* find_kernel_kind(std::string_view name);

}  // namespace xenrig::hypercalls
