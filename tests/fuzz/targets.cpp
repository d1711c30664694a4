#include <algorithm>
#include <array>

#include "tests/fuzz/target.h"

namespace xenrig::fuzz {
namespace {

constexpr std::size_t kWholeWorlds = 1'500;

constexpr std::array<Target, 5> kTargets{{{"xenstore_wire", xenstore_wire},
                                          {"xenstore_ring", xenstore_ring},
                                          {"blkback", blkback, kWholeWorlds, true},
                                          {"blkfront", blkfront, kWholeWorlds, true},
                                          {"hypercall", hypercall, kWholeWorlds, true}}};

}  // namespace

Totals& totals() {
    static Totals the;
    return the;
}

std::span<const Target> targets() { return kTargets; }

const Target* find_target(std::string_view name) {
    const auto found = std::find_if(kTargets.begin(), kTargets.end(), [&](const Target& t) { return t.name == name; });
    return found == kTargets.end() ? nullptr : &*found;
}

}  // namespace xenrig::fuzz
