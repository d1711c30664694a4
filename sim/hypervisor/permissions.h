// What a domain may use of the machine's ports and memory beyond its own (xen/iocap.h: rangesets). It gets it from who
// has it, and loses all of it when it ends.
#pragma once

#include <cstdint>
#include <map>

namespace xenrig::hypervisor {

/// Both ends included.
struct Range {
    std::uint64_t first, last;
};

/// A set of numbers, as ranges that do not touch.
class NumberSet {
public:
    void add(Range range);
    void remove(Range range);
    /// All of them?
    bool contains(Range range) const;
    void clear() { ranges_.clear(); }

private:
    /// The last one by the first.
    std::map<std::uint64_t, std::uint64_t> ranges_;
};

struct Permissions {
    NumberSet ports, memory;
    /// The hardware domain's: all but what Xen keeps for itself (dom0_setup_permissions).
    static Permissions of_control();
};

}  // namespace xenrig::hypervisor
