#include "sim/hypervisor/permissions.h"

#include <algorithm>
#include <iterator>

namespace xenrig::hypervisor {

void NumberSet::add(Range range) {
    // What it overlaps or touches becomes one with it.
    auto at = ranges_.upper_bound(range.first);
    if (at != ranges_.begin() && std::prev(at)->second + 1 >= range.first) --at;
    while (at != ranges_.end() && (range.last == ~0ull || at->first <= range.last + 1)) {
        range = {std::min(range.first, at->first), std::max(range.last, at->second)};
        at = ranges_.erase(at);
    }
    ranges_[range.first] = range.last;
}

void NumberSet::remove(Range range) {
    auto at = ranges_.upper_bound(range.first);
    if (at != ranges_.begin() && std::prev(at)->second >= range.first) --at;
    while (at != ranges_.end() && at->first <= range.last) {
        const Range cut{at->first, at->second};
        at = ranges_.erase(at);
        if (cut.first < range.first) ranges_[cut.first] = range.first - 1;
        if (cut.last > range.last) ranges_[range.last + 1] = cut.last;
    }
}

bool NumberSet::contains(Range range) const {
    const auto at = ranges_.upper_bound(range.first);
    return at != ranges_.begin() && std::prev(at)->second >= range.last;
}

Permissions Permissions::of_control() {
    constexpr std::uint64_t kLastPort = 0xffff, kAddressBits = 40, kPageBits = 12;
    constexpr std::uint64_t kLastFrame = (std::uint64_t{1} << (kAddressBits - kPageBits)) - 1;
    // The interrupt controllers, the interval timer and its gate, the console, the power management's timer, PCI's
    // data port.
    constexpr Range kPorts[] = {{0x20, 0x21},   {0x40, 0x43},   {0x61, 0x61},  {0xa0, 0xa1},
                                {0x3f8, 0x3ff}, {0x608, 0x60b}, {0xcfc, 0xcff}};
    // Messages to the local APICs; HyperTransport's 12 GiB below an AMD machine's end.
    constexpr Range kFrames[] = {{0xfee00, 0xfeeff}, {kLastFrame + 1 - (std::uint64_t{3} << 20), kLastFrame}};
    Permissions all;
    all.ports.add({0, kLastPort});
    for (const Range& own : kPorts) all.ports.remove(own);
    all.memory.add({0, kLastFrame});
    for (const Range& own : kFrames) all.memory.remove(own);
    return all;
}

}  // namespace xenrig::hypervisor
