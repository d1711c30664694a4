// A guest kernel: the platform that drivers stand on, made of hypercalls.
//
// It is the inside of a machine: tasks, heap and frames live as long as it does, while domains come and go under it.
// bind() ties it to one, at boot and after each migration; boot() brings its services up. What it needs to know of its
// hypervisor is in xenrig/abi; what differs between kinds of guests is behind Discovery. A linear address of an HVM or
// PVH guest, of either word, is gfn * 4096 + offset; a PV guest, a 64-bit one, has page tables (pv_memory.h).
//
// Suspend with several vCPUs: vCPU 0 takes the locks of memory, events and grants with upcalls off and calls
// SCHEDOP_shutdown, and the hypervisor stops the others wherever they stand, as Xen does on a shutdown. Nobody is in
// the middle of the shared structures, because that is where one holds their locks; no other state is of one epoch and
// kept over a choice point. So no vCPU needs to be herded into a safe place first.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "xenrig/guest/clock.h"
#include "xenrig/guest/control.h"
#include "xenrig/guest/discovery.h"
#include "xenrig/guest/domain_link.h"
#include "xenrig/guest/event_channels.h"
#include "xenrig/guest/gfn_pool.h"
#include "xenrig/guest/grant_table.h"
#include "xenrig/guest/hvm_start.h"
#include "xenrig/guest/memory.h"
#include "xenrig/guest/pv_memory.h"
#include "xenrig/guest/xenstore_client.h"
#include "xenrig/platform/platform.h"

namespace xenrig::guest {

/// Where the guest's memory lies, the same in every domain it ever lives in.
struct Layout {
    /// Populated, and free for the kernel's allocator: the toolstack's ring pages lie elsewhere.
    GfnRange ram;
    /// Nothing there: for shared_info, grant frames and mappings of others' grants.
    GfnRange unpopulated;
    /// It is a PV guest.
    std::optional<PvLayout> pv = {};
};

/// What a guest was compiled for.
struct KernelOptions {
    /// The width of its word: 64, or 32 (an i386).
    unsigned bits = 64;
    CallbackWay callback = CallbackWay::vector;
};

class Kernel final : public Platform {
public:
    /// `cpus` are the guest's vCPUs, in order, and it alone runs on them; they stand still until the first bind(). They
    /// must outlive it, their tasks must not.
    Kernel(std::string name, Machine& machine, std::vector<Cpu*> cpus, Layout layout,
           const KernelOptions& options = {});
    ~Kernel() override;
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    /// Ties the guest to a domain; a new epoch begins. Before boot(), or while it is suspended in the old domain.
    void bind(const Binding& binding);
    /// Events and grants alone: what a control domain needs before it can run the store that boot() then talks to.
    Result<> start_core();
    /// Brings the services up. From a task on vCPU 0. A domain without a xenstore ring boots without store and control.
    Result<> boot();
    /// The domain is being killed: the epoch ends first, and no hypercall is made from now on. Before its tasks are
    /// unwound; while no vCPU of the guest runs.
    void domain_died();

    const std::string& name() const { return name_; }
    unsigned bits() const { return link_.bits(); }
    std::uint64_t epoch() const { return link_.epoch(); }
    DomId domid() const { return link_.domid(); }
    /// Hypercalls tried after the domain's death.
    std::uint64_t refused() const { return link_.refused(); }
    /// Handles of ended epochs that were used or released.
    std::uint64_t stale_handles() const { return link_.stale(); }

    /// Grants that the peer still maps though their owner is done with them.
    std::size_t grants_to_end() const { return grants_.deferred(); }

    GrantTable& grants() override { return grants_; }
    EventChannels& events() override { return events_; }
    XenstoreClient& store() override { return store_; }
    GuestMemory& memory() override { return memory_; }
    GuestClock& clock() override { return clock_; }
    Control& control() { return control_; }
    /// A PVH guest's, since it booted; empty of others.
    const HvmStart& hvm_start() const { return hvm_start_; }
    /// ENOENT when the toolstack gave the domain no console.
    Result<RingPage> console() { return discovery_->console(); }
    Task& spawn(std::string name, TaskRole role, std::function<void()> body) override;
    Task& spawn_on(VcpuId vcpu, std::string name, TaskRole role, std::function<void()> body);

private:
    friend class Control;

    Result<> start_services();
    /// SCHEDOP_shutdown: after a suspend 1 when it was cancelled, 0 in a new domain.
    Result<std::int64_t> shut_down(unsigned reason, std::uint64_t with = 0);
    /// The innermost part of a suspend; another epoch on return says that this is a new domain.
    Result<> enter_suspend();

    const std::string name_;
    DomainLink link_;
    const GfnRange ram_;
    HvmStart hvm_start_;
    GfnPool unpopulated_;
    GuestMemory memory_;
    GuestClock clock_;
    std::unique_ptr<Discovery> discovery_;
    EventChannels events_;
    GrantTable grants_;
    XenstoreClient store_;
    Control control_;
    bool has_core_ = false;
    bool has_store_ = false;
    /// Atomic: on threads anybody may spawn, from any vCPU or from outside.
    std::atomic<std::uint32_t> next_vcpu_ = 0;
};

}  // namespace xenrig::guest
