// The simulated hypervisor of one host: domains, their memory, grants and event channels, and the hypercalls on them.
//
// Guests reach it by hypercalls() alone; the other members are the toolstack's and the world's, what domctl, sysctl and
// libxenctrl are on a real host. Answers are those of Xen 4.17 (docs/fidelity.md). It stands on the Machine for time,
// timers and processors, and names nothing else.
//
// Threads: hypercalls and the toolstack's calls may come from several at once; listener and observer are called with
// the hypervisor entered, and set before anything runs.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/hypervisor/fault.h"
#include "sim/hypervisor/machine_memory.h"
#include "xenrig/abi/address_space.h"
#include "xenrig/abi/error.h"
#include "xenrig/abi/hypercall.h"
#include "xenrig/abi/types.h"

namespace xenrig {
class Cpu;
class Interrupts;
class Machine;
class PvAddressSpace;
}  // namespace xenrig

namespace xenrig::hypervisor {

class GuestAccess;
class Host;
class Observer;

struct HostConfig {
    std::string name = "host";
    std::uint64_t frames = 1 << 16;
    /// Shifted from host to host, so that no number of the old one works on the new one by luck.
    Mfn first_mfn{0x1000};
    DomId first_domid{1};
    GrantHandle first_handle{0};
    /// Physical processors, shared by Xen's credit scheduler; 0: as many as vCPUs.
    unsigned cpus = 0;
    /// A debug hypervisor: any domain may write to the console (CONFIG_VERBOSE_DEBUG), not the control domain alone.
    bool verbose_debug = false;
};

enum class GuestType : std::uint8_t { pvh, hvm, pv };

struct DomainConfig {
    std::string name;
    GuestType type = GuestType::pvh;
    unsigned bits = 64;
    unsigned vcpus = 1;
    /// The most it may own (its maximum reservation); nothing is populated yet.
    std::uint64_t max_frames = 1024;
    /// The control domain: may name other domains in its hypercalls and gets the global VIRQs. Takes domid 0 if free.
    bool privileged = false;
    /// The lowest port that is ever given out; those below are reserved.
    Port first_port{1};
    unsigned max_grant_frames = 64;
    unsigned max_maptrack_frames = 1024;
    /// Its share of the processors against other domains', and the percent of one that it never exceeds (0: no limit).
    std::uint16_t weight = 256, cap = 0;
    /// So many vCPUs are up at first; the guest initialises the others and brings them up itself. 0: all are.
    unsigned vcpus_up = 0;
};

/// What a toolstack may know of a domain (domctl.h: getdomaininfo).
struct DomainInfo {
    DomId id;
    std::string name;
    GuestType type{};
    unsigned bits = 64, vcpus = 1;
    bool dying = false;
    bool shut_down = false;
    /// SHUTDOWN_* of sched.h, valid when shut_down.
    unsigned shutdown_reason = 0;
    unsigned pauses = 0;
    std::uint64_t frames = 0, max_frames = 0;
    /// Whose device model it is (XEN_DOMCTL_set_target); that one stays as long as this one does.
    std::optional<DomId> target;
};

struct HypercallCounts {
    /// By number, all sub-operations together.
    std::array<std::uint64_t, 64> by_number{};
    /// By a domain that was dead or dying.
    std::uint64_t refused = 0;
    std::uint64_t total() const;
};

/// By RUNSTATE_* of vcpu.h: running, runnable (waiting for a processor), blocked, offline.
struct VcpuTimes {
    /// Nanoseconds.
    std::array<std::uint64_t, 4> spent{};
    std::array<std::uint64_t, 4> entered{};
    /// Times that it lost its processor with work left.
    std::uint64_t preempted = 0;
};

class Hypervisor {
public:
    Hypervisor(Machine& machine, HostConfig config);
    ~Hypervisor();
    Hypervisor(const Hypervisor&) = delete;
    Hypervisor& operator=(const Hypervisor&) = delete;

    const HostConfig& config() const;
    Machine& machine() const;
    MachineMemory& memory();

    /// Comes with shared_info and a grant table, no memory, and one pause that its builder takes away with unpause().
    /// EINVAL for a configuration that Xen refuses, ENOMEM when the host is full.
    Result<DomId> create_domain(const DomainConfig& config);
    /// Ends its epoch: from now on it runs nothing, and its hypercalls are refused and counted. It holds what it held.
    Result<> kill_domain(DomId dom);
    /// kill_domain(), then releases all: ports (peers fall back to unbound), mappings, grants, memory. Frames that
    /// others still map stay until the last unmap. The domid is free when they are gone.
    Result<> destroy_domain(DomId dom);
    /// Living and dying ones, by domid.
    std::vector<DomId> domains() const;
    /// ESRCH when there is none.
    Result<DomainInfo> info(DomId dom) const;
    /// Is it there, and not dying?
    bool alive(DomId dom) const;
    /// The control domain, or DOMID_INVALID (0x7ff4).
    DomId control_domain() const;

    /// The runner of a vCPU: kicked, paused and halted from here. It may be another domain's at the same time only
    /// between attach here and resume_elsewhere() there.
    void attach_vcpu(DomId dom, VcpuId vcpu, Cpu& cpu);
    void detach_vcpu(DomId dom, VcpuId vcpu);
    /// Both stay valid as long as the host, whatever becomes of the domain.
    Hypercalls& hypercalls(DomId dom, VcpuId vcpu);
    /// The same, but pointers are linear addresses of the guest's own (linear_access.h), and structs those of the
    /// domain's word.
    Hypercalls& linear_hypercalls(DomId dom, VcpuId vcpu);
    AddressSpace& address_space(DomId dom);
    /// The vCPU's interrupt controllers; as lasting as the above. A PV guest's never have anything.
    Interrupts& interrupts(DomId dom, VcpuId vcpu);
    /// A PV guest's memory through its page tables, page 0 at the linear address `base`: every call with the same one.
    PvAddressSpace& linear_space(DomId dom, std::uint64_t base);
    VcpuTimes vcpu_times(DomId dom, VcpuId vcpu) const;
    /// A hypercall of a caller that is not C++ code of this process.
    std::int64_t hypercall(DomId dom, VcpuId vcpu, GuestAccess& guest, unsigned number, const HypercallArgs& args);
    /// The memory of a caller whose pointers are linear addresses of the guest's own (linear_access.h).
    std::unique_ptr<GuestAccess> linear_access(DomId dom, VcpuId vcpu);
    /// Would an upcall be delivered? Looks without being seen: no choice point. False for a dead domain.
    bool upcall_pending(DomId dom, VcpuId vcpu) const;

    /// Gives it zeroed frames at first, first + 1, …; ENOMEM beyond max_frames or when the host is full.
    Result<> populate(DomId dom, Gfn first, std::uint64_t count);
    /// The frame behind a gfn; ENOENT when there is none.
    Result<Mfn> lookup(DomId dom, Gfn gfn) const;
    /// Every populated gfn of its own RAM, ascending: what a save walks.
    std::vector<Gfn> ram(DomId dom) const;

    /// From now on, writes are logged by gfn. Nothing is dirty yet: a save sends all RAM once, then what is dirty.
    Result<> enable_log_dirty(DomId dom);
    void disable_log_dirty(DomId dom);
    /// The gfns written since the last clean, ascending. A frame that a peer maps writable is always among them.
    std::vector<Gfn> clean_dirty(DomId dom);
    bool dirty(DomId dom, Gfn gfn) const;
    /// A peer maps the frame writable now: what it writes until it unmaps it, no log can know in time.
    bool written_by_peers(DomId dom, Gfn gfn) const;

    /// Counted: it runs again after as many unpauses as pauses. ESRCH; EINVAL for an unpause too many.
    Result<> pause(DomId dom);
    Result<> unpause(DomId dom);
    /// Back from a shutdown (domctl resumedomain): SCHEDOP_shutdown returns 1 in the guest, a cancelled suspend.
    Result<> resume(DomId dom);
    /// The guest of a suspended domain lives on in another domain, to which its vCPUs are attached by now: they are
    /// detached here, and SCHEDOP_shutdown returns 0 in the guest as soon as the new domain lets its vCPU run.
    Result<> resume_elsewhere(DomId dom);
    /// Called when a domain was created, shut down, resumed, killed or is gone, inside the hypercall that did it: take
    /// note and wake somebody, no more.
    void on_state_change(std::function<void(DomId)> listener);

    /// What a domain builder does for a new domain, with Xen's checks (hvm/params.h, event_channel.h).
    Result<> set_param(DomId dom, unsigned index, std::uint64_t value);
    Result<std::uint64_t> get_param(DomId dom, unsigned index) const;
    Result<Port> alloc_unbound(DomId dom, DomId remote);
    /// Writes an entry of its grant table before it runs, as a builder does for console and store (xc_dom_gnttab_seed).
    Result<> seed_grant(DomId dom, GrantRef ref, DomId to, Gfn frame);
    /// A device of the machine raises its interrupt line: the domains that are bound to it hear of it. EINVAL for a
    /// line that the machine has not.
    Result<> raise_interrupt(unsigned gsi);
    /// The page of shared_info, for a save and for oracles; null when the domain is gone.
    std::byte* shared_info(DomId dom);

    /// Text that the domain wrote with console_io since the last call.
    std::string take_console(DomId dom);

    void set_observer(Observer* observer);
    /// While no vCPU runs.
    void set_fault(HypercallFault fault);
    const HypercallCounts& counts() const;
    const HypercallCounts& counts(DomId dom) const;

    /// Frames conserved, no use without a user, every pin accounted for, both halves of each binding (bindings.h); the
    /// first violation as a sentence, or empty.
    std::string audit() const;
    /// All of it but whether freed frames were written to, which is most of the time that an audit takes.
    std::string audit_counts() const;

private:
    std::unique_ptr<Host> host_;
};

}  // namespace xenrig::hypervisor
