// The page by which a PVH guest learns what it was given (arch-x86/hvm/start_info.h; tools/libs/guest: bootlate_hvm):
// the struct, behind it the memory map, and behind that the command line. Its first vCPU finds the address in %ebx.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sim/toolstack/host.h"

namespace xenrig::toolstack {

/// For the place that the plan has for it. A command line is cut to what the page has room for.
std::vector<std::byte> hvm_start_info_bytes(const MemoryPlan& plan, const std::string& cmd_line);

}  // namespace xenrig::toolstack
