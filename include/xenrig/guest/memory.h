// The guest's frames: an allocator over the populated range, its own payload, and windows on pages that it shares.
//
// A frame keeps its gfn over a migration, and so does its payload: an access that a suspend interrupts goes on in the
// frame's new place. Windows that a peer can write are of one epoch (xenrig/platform/memory.h).
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <vector>

#include "xenrig/guest/domain_link.h"
#include "xenrig/guest/gfn_pool.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/memory.h"

namespace xenrig::guest {

class GuestMemory final : public Memory {
public:
    /// `ram` is populated and nobody else's: no ring page that the toolstack placed lies in it.
    GuestMemory(DomainLink& link, GfnRange ram);

    Result<FramePtr> allocate() override;
    using Memory::window;
    shared::Window window(std::span<const Gfn> frames) override;
    void read(Gfn frame, std::size_t offset, std::span<std::byte> out) override;
    void write(Gfn frame, std::size_t offset, std::span<const std::byte> in) override;
    std::uint64_t epoch() const override { return link_.epoch(); }
    std::size_t frames_in_use() const override;

    /// A page that only the kernel and the hypervisor look at (shared_info, a grant frame): polled, so never watched
    /// for double fetches. ENXIO when nothing is there.
    Result<shared::Window> kernel_window(Gfn gfn, std::string name);

    /// Ends all leases of the epoch. Only while no vCPU of the guest runs.
    void end_epoch(shared::LeaseEnd why);
    /// A new domain: frames lie elsewhere now. Only while no vCPU of the guest runs.
    void moved();
    /// Frames that peers look at are written past the log: called before the last copy of a migration.
    void mark_shared_dirty();

    IrqLock& lock() { return lock_; }

private:
    struct Slot {
        bool used = false;
        shared::LeasePtr payload;
        shared::LeasePtr window;
        std::vector<std::weak_ptr<shared::Lease>> spans;
    };
    /// A payload access under way: a migration gives its window the frame's new place.
    struct Access {
        Gfn gfn;
        shared::Window window;
    };
    class Underway;

    void release(Gfn frame) override;
    Slot* slot(Gfn gfn);
    shared::LeasePtr window_lease(Gfn gfn);
    void end(const shared::LeasePtr& lease, shared::LeaseEnd why);

    DomainLink& link_;
    GfnRange ram_;
    mutable IrqLock lock_{"guest memory"};
    std::vector<Slot> slots_;
    std::deque<Gfn> free_;
    std::size_t used_ = 0;
    /// Of this epoch: windows on pages outside `ram`, and on several pages at once.
    std::map<Gfn, shared::LeasePtr> others_;
    std::vector<std::weak_ptr<shared::Lease>> epoch_leases_;
    /// Deterministic world only; real threads are never stopped inside an access.
    std::list<Access> underway_;
};

}  // namespace xenrig::guest
