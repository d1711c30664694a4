// The scripts of fixtures/xen-answers/scripts with the answers that Xen 4.17 gave: NAME.ops and NAME.answers for dom0,
// NAME.KIND.answers for another kind of kernel, recorded with tests/interop/real-xen/ask-xen.sh.
#pragma once

#include <filesystem>
#include <vector>

#include "sim/hypercalls/kernel_kind.h"

namespace xenrig::hypercalls {

struct Recorded {
    std::filesystem::path script, answers;
    const KernelKind* kind;
};

/// By name, then by kind.
std::vector<Recorded> recorded_scripts();

}  // namespace xenrig::hypercalls
