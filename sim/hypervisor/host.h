// One host's hypervisor from the inside: the list of domains, the machine's memory, and what the parts ask of the
// whole.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "sim/hypervisor/console_ring.h"
#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/domain_table.h"
#include "sim/hypervisor/fault.h"
#include "sim/hypervisor/hypervisor.h"
#include "sim/hypervisor/machine_interrupts.h"
#include "sim/hypervisor/machine_memory.h"
#include "sim/hypervisor/observer.h"
#include "sim/hypervisor/page_types.h"
#include "sim/hypervisor/processors.h"
#include "xenrig/platform/machine.h"

namespace xenrig::hypervisor {

class Host {
public:
    Host(Machine& under, HostConfig settings);
    ~Host();

    /// rcu_lock_domain_by_id: a living or dying one, by its number alone.
    Domain* find(DomId dom) const { return listed_.find(dom); }
    /// rcu_lock_domain_by_any_id: DOMID_SELF too.
    Domain* find_any(DomId dom, Domain& self) const;
    /// The last holder of a number, dead or not; null if there was none.
    Domain* last(DomId dom) const { return last_.find(dom); }
    Domain* control() const { return control_; }

    Result<DomId> create(const DomainConfig& settings);
    /// With this number, which is free; its vCPUs may come later (XEN_DOMCTL_max_vcpus).
    Result<> create_as(DomId dom, const DomainConfig& settings, bool with_vcpus);
    /// The next number that nobody has, round and round; it is not given again before the others.
    Result<DomId> free_domid();
    void kill(Domain& d);
    /// Releases all that it holds; it is dead at once, or when the last of its frames comes back.
    void release(Domain& d);
    std::vector<DomId> domains() const;

    /// RAM for a domain at `gfn`, within its reservation. Null frames: none left, or the gfn can't be.
    std::optional<Mfn> give_frame(Domain& d, Gfn gfn);
    /// 2^order frames of RAM in a row, below `limit`, within its reservation and at no gfn; who asks for it puts it
    /// somewhere (alloc_domheap_pages).
    std::optional<Mfn> allocate(Domain& d, unsigned order = 0, Mfn limit = Mfn{~0ull});
    /// One of its own frames becomes what stands at `gfn`, or nowhere when the gfn can't be (guest_physmap_add_page).
    /// 0 or a negated Errno.
    std::int64_t place(Domain& d, Gfn gfn, Mfn mfn);
    /// Frames that it was promised and has not allocated yet (XENMEM_claim_pages). 0 or a negated Errno.
    std::int64_t claim(Domain& d, std::uint64_t frames);
    /// One use less; frees it, and perhaps ends the owner's domain, when it was the last.
    void put_frame(Mfn mfn);
    /// A frame of the hypervisor's own that a domain may see, zeroed.
    std::optional<Mfn> special_frame(Domain& d);
    void set_physmap(Domain& d, Gfn gfn, Mfn mfn, PageType type);
    void clear_physmap(Domain& d, Gfn gfn);
    /// What stood at a gfn that something else takes: its frame is at no gfn now.
    void displace(Domain& d, PhysmapEntry before);
    /// The RAM at `gfn` leaves the physmap and its owner (guest_remove_page). 0 or a negated Errno.
    std::int64_t remove_page(Domain& d, Gfn gfn);
    /// The same for a PV guest, which names machine frames.
    std::int64_t remove_frame(Domain& d, Mfn mfn);
    /// May a frame change its owner? Only one of a PV guest's own that nobody else uses (steal_page). 0 or a negated
    /// Errno.
    std::int64_t may_steal(const Domain& d, Mfn mfn) const;
    /// Out of its owner's physmap or list. False when it was in neither: given back already, and others hold it yet.
    bool take_out(Domain& d, Mfn mfn);
    /// Another domain's frame in a translated domain's physmap, held as long as it stands there.
    void map_foreign(Domain& d, Gfn gfn, Mfn mfn);
    void unmap_foreign(Domain& d, Gfn gfn);
    /// A PV guest's own frame as an entry of the map that it does not have.
    PhysmapEntry pv_entry(const Domain& d, Mfn mfn) const;
    /// A frame of `d` named as a guest names it: by gfn, or by mfn when it is a PV guest.
    std::optional<Mfn> guest_frame(Domain& d, std::uint64_t gmfn) const;
    /// What stands at a gfn, populated when it is to be on demand (P2M_ALLOC).
    PhysmapEntry look_up(Domain& d, Gfn gfn) const;
    void mark_dirty(Domain& d, Mfn mfn) {
        if (d.dirty.enabled()) [[unlikely]]
            d.dirty.mark(memory.gfn(mfn));
    }
    /// Frames that are written without a word: by peers that map them, and by events where the guest registered a
    /// place.
    void mark_unseen_writes(Domain& d);

    /// SCHEDOP_shutdown and what else ends in it; `caller` halts by itself and is not paused.
    void shut_down(Domain& d, unsigned reason, Vcpu* caller);
    /// The first reason that is said stays, its low byte (domain.c: shutdown_code).
    void latch_shutdown_reason(Domain& d, unsigned reason);
    void resume(Domain& d);
    void resume_elsewhere(Domain& d);
    void attach(Vcpu& v, Cpu& cpu);
    void detach(Vcpu& v);
    /// Counted: it runs after as many let_go() as hold().
    void hold(Vcpu& v);
    void let_go(Vcpu& v);
    /// A vCPU that is down does not run.
    void set_up(Vcpu& v, bool up) {
        if (std::exchange(v.up, up) != up) up ? let_go(v) : hold(v);
    }
    void pause(Domain& d);
    void unpause(Domain& d);

    void send_global_virq(std::uint32_t virq);
    /// Tells the toolstack, and the control domain by VIRQ_DOM_EXC.
    void state_changed(Domain& d);

    Machine& machine;
    const HostConfig config;
    MachineMemory memory;
    Processors processors;
    MachineInterrupts interrupts;
    /// Those that the control domain has told of: segment, bus, devfn.
    std::set<std::uint32_t> pci_devices;
    Observer* observer = nullptr;
    /// What frames of PV guests are used as.
    PageTypes page_types{*this};
    HypercallFault fault;
    /// Who gets a global VIRQ instead of the control domain.
    std::array<Domain*, kVirqs> virq_handlers{};
    ConsoleRing console;
    HypercallCounts counts;
    std::function<void(DomId)> listener;

private:
    /// When nobody else uses a frame of it any more, those that the hypervisor shares with it included.
    void finish_if_unused(Domain& d);
    void finish(Domain& d);
    bool spare(const Domain* d, std::uint64_t frames) const;
    void end_shutdown(Domain& d, std::int64_t answer);
    void cancel_timers(Vcpu& v);

    DomainTable listed_, last_;
    /// Of all domains.
    std::uint64_t claimed_ = 0;
    Domain* control_ = nullptr;
    DomId next_domid_;
    /// Last, so that a domain's end still finds the rest.
    std::vector<std::unique_ptr<Domain>> all_;
};

}  // namespace xenrig::hypervisor
