// The guest's grant table (version 1): entries it grants, and mappings and copies of what others granted.
//
// An entry becomes valid by its flags, written last; it ends by a compare-and-exchange of the flags, which fails while
// the peer has it mapped (grant_table.h). Such an entry waits, with its frame, and is tried again at each later use of
// the table and by a few timers that come ever later. References start at another number in each epoch and are used
// again as late as possible: no stale one works by luck.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "xenrig/guest/clock.h"
#include "xenrig/guest/discovery.h"
#include "xenrig/guest/domain_link.h"
#include "xenrig/guest/gfn_pool.h"
#include "xenrig/guest/memory.h"
#include "xenrig/platform/grants.h"
#include "xenrig/platform/lock.h"

namespace xenrig::guest {

class GrantTable final : public Grants {
public:
    GrantTable(DomainLink& link, GuestMemory& memory, Discovery& discovery, GfnPool& unpopulated, GuestClock& clock);
    ~GrantTable() override;

    Result<Grant> grant(DomId peer, Gfn frame, Access access) override;
    Result<Mapping> map(DomId owner, std::span<const GrantRef> refs, Access access) override;
    Result<> copy(std::span<GrantCopy> copies) override;
    std::size_t grants_in_use() const override;

    /// Ended by their owners and still mapped by the peer.
    std::size_t deferred() const;
    std::size_t mappings_in_use() const;

    /// At boot and in a new domain, with lock() held.
    Result<> start();
    /// Gives the store's domain its page (GNTTAB_RESERVED_XENSTORE), unless the toolstack has done so.
    void grant_store(DomId store, Gfn page);
    /// Only while no vCPU of the guest runs: references and handles are the old domain's.
    void end_epoch(shared::LeaseEnd why);
    /// Frees what grants of ended epochs kept alive; without lock().
    void bury();

    IrqLock& lock() { return lock_; }

private:
    struct Deferred {
        GrantRef ref;
        FramePtr frame;
    };
    struct Mapped {
        Gfn gfn;
        shared::LeasePtr lease;
    };

    void end_grant(GrantRef ref, std::uint64_t epoch, FramePtr frame) override;
    void unmap(std::span<const GrantHandle> handles, const shared::Window& window, std::uint64_t epoch) override;

    Result<GrantRef> take_ref();
    Result<> grow();
    void write_entry(GrantRef ref, DomId peer, Gfn frame, std::uint16_t flags);
    bool revoke(GrantRef ref);
    std::vector<FramePtr> retry_deferred();
    void arm_retry();
    void undo(std::span<const GrantHandle> handles, std::span<const Gfn> gfns);

    DomainLink& link_;
    GuestMemory& memory_;
    Discovery& discovery_;
    GfnPool& unpopulated_;
    GuestClock& clock_;
    mutable IrqLock lock_{"grant table"};

    /// One a frame of the table; never moved, so that an access which a suspend interrupts goes on in the new page.
    std::deque<shared::Window> frames_;
    std::size_t frames_now_ = 0;
    std::size_t frames_max_ = 0;
    std::deque<GrantRef> free_;
    std::size_t granted_ = 0;
    std::deque<Deferred> deferred_;
    std::map<GrantHandle, Mapped> mapped_;
    std::vector<FramePtr> ended_;
    bool retry_armed_ = false;
    TimerId retry_timer_{};
    unsigned retries_ = 0;
};

}  // namespace xenrig::guest
