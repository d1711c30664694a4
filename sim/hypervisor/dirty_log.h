// Which frames of a domain were written since somebody last looked: what a live migration copies again.
//
// One bit a gfn. Who writes tells it: the guest for its payload, the hypervisor for copies and for frames that a peer
// maps writable. Marking costs a branch while nobody logs. Threads: any may mark.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class DirtyLog {
public:
    bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
    void enable() { enabled_ = true; }
    void disable();

    void mark(Gfn gfn) {
        if (enabled()) [[unlikely]]
            set(gfn);
    }
    bool marked(Gfn gfn) const;
    /// How many are marked.
    std::uint64_t count() const;
    /// The marked gfns, ascending; none is marked afterwards.
    std::vector<Gfn> clean();

private:
    void set(Gfn gfn);

    std::atomic<bool> enabled_{false};
    mutable std::mutex lock_;
    /// Here and there as the gfns are: a guest that uses high ones makes it no larger.
    static constexpr std::uint64_t kGfnsPerBlock = 512;
    std::map<std::uint64_t, std::array<std::uint64_t, kGfnsPerBlock / 64>> blocks_;
};

}  // namespace xenrig::hypervisor
