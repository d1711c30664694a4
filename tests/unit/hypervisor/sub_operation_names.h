// The sub-operations of Xen 4.17's hypercalls on x86 by the names that docs/fidelity.md has for them: those that a
// guest, a toolstack or xenstored asks for. The numbers are those of Xen's public headers.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace xenrig::hypercalls {

struct SubOperation {
    /// The heading of its table.
    std::string_view hypercall;
    std::string_view name;
    unsigned number;
    std::uint32_t operation;
};

std::span<const SubOperation> sub_operations();

}  // namespace xenrig::hypercalls
