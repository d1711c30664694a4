// The named seeds of the block targets: what each attacks, and how the attacked device stands when all is over.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace xenrig::fuzz {

struct BlkSeed {
    std::string name;
    std::string input;
    /// xenbus states that the victim may be in at the end: "4" serves on, "5" and "6" have closed.
    std::string ends;
};

std::vector<BlkSeed> blkback_seeds();
std::vector<BlkSeed> blkfront_seeds();

}  // namespace xenrig::fuzz
