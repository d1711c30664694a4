// The page by which a PV guest learns what it was given (xen.h: struct start_info; tools/libs/guest: start_info_x86_64,
// start_info_x86_32).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sim/toolstack/pv_plan.h"

namespace xenrig::toolstack {

/// What the plan does not say of a new domain.
struct PvStart {
    Mfn shared_info, store, console;
    Port store_port, console_port;
    std::string cmd_line;
};

/// In the layout of the guest's word. A command line is cut to what the page has room for.
std::vector<std::byte> start_info_bytes(const PvPlan& plan, const PvStart& start);

/// A list of machine frames in the guest's word.
std::vector<std::byte> p2m_bytes(const PvPlan& plan, const std::vector<Mfn>& p2m);

}  // namespace xenrig::toolstack
