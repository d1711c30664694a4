// Which frames of a domain were written since somebody last looked: what a live migration copies again.
//
// One bit a gfn. Who writes tells it: the guest for its payload, the hypervisor for copies and for frames that a peer
// maps writable. Marking costs a branch while nobody logs.
#pragma once

#include <cstdint>
#include <vector>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class DirtyLog {
public:
    bool enabled() const { return enabled_; }
    void enable() { enabled_ = true; }
    void disable() {
        enabled_ = false;
        words_.clear();
    }

    void mark(Gfn gfn) {
        if (enabled_) [[unlikely]]
            set(gfn);
    }
    bool marked(Gfn gfn) const;
    /// The marked gfns, ascending; none is marked afterwards.
    std::vector<Gfn> clean();

private:
    void set(Gfn gfn);

    bool enabled_ = false;
    std::vector<std::uint64_t> words_;
};

}  // namespace xenrig::hypervisor
