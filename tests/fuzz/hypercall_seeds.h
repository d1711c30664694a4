// The named seeds of the target `hypercall`: what each attacks.
#pragma once

#include <string>
#include <vector>

namespace xenrig::fuzz {

struct HypercallSeed {
    std::string name;
    std::string input;
    /// At least so many hypercalls of it are made.
    std::uint64_t calls_min;
};

std::vector<HypercallSeed> hypercall_seeds();
/// Parts of them: each sub-operation by its number; and what takes several operations to get to.
std::vector<HypercallSeed> hypercall_operation_seeds();
std::vector<HypercallSeed> hypercall_feature_seeds();

}  // namespace xenrig::fuzz
