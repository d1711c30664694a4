// The least that an HVM_CONTEXT record may hold: Xen's own save format (hvm/save.h) with its header and its end alone.
//
// A simulated guest's vCPUs are tasks of the Guest and have no registers to save, yet the format wants the record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xenrig::image {

/// `cpuid` is CPUID leaf 1's eax on the saving machine.
std::vector<std::byte> minimal_hvm_context(std::uint32_t cpuid, std::uint32_t gtsc_khz);

}  // namespace xenrig::image
