// A domain: what Xen's struct domain holds. Its parts are in files of their own; this one puts them together.
//
// Domids name it while it lives or while others still use its frames; the object itself stays as long as the host,
// because guests that are being unwound still hold its Hypercalls.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/hypervisor/dirty_log.h"
#include "sim/hypervisor/event_channels.h"
#include "sim/hypervisor/grant_table.h"
#include "sim/hypervisor/hypervisor.h"
#include "sim/hypervisor/physmap.h"
#include "sim/hypervisor/pirqs.h"
#include "sim/hypervisor/pod.h"
#include "sim/hypervisor/vcpu.h"
#include "sim/hypervisor/xen_abi.h"
#include "xenrig/abi/address_space.h"
#include "xenrig/abi/shared_layout.h"

namespace xenrig::hypervisor {

class HvmContext;
struct CpuPolicy;

/// DOMDYING_*: `dying` runs nothing and holds what it held; `released` waits for others to let its frames go; `dead` is
/// not listed any more.
enum class Life : std::uint8_t { alive, dying, released, dead };

/// An entry of a PC's memory map (struct e820entry).
struct [[gnu::packed]] MemoryMapEntry {
    std::uint64_t start = 0, bytes = 0;
    std::uint32_t type = 0;
};

class Domain final : public AddressSpace {
public:
    Domain(Host& owner, DomId number, const DomainConfig& settings, Mfn shared);
    /// As many as its configuration says, if it has none yet.
    void make_vcpus();
    ~Domain() override;

    // AddressSpace: what the guest itself sees.
    std::byte* page(Gfn gfn) override;
    void mark_dirty(Gfn gfn) override;

    /// PVH and HVM: gfns are translated by the physmap; PV sees machine frames.
    bool translated() const { return config.type != GuestType::pv; }
    bool dying() const { return life != Life::alive; }
    const SharedLayout& layout() const;
    /// Null beyond the domain's last.
    Vcpu* vcpu(VcpuId v) const { return v.value < vcpus.size() ? vcpus[v.value].get() : nullptr; }
    void wake_pollers(Port port);

    Host& host;
    const DomId id;
    const DomainConfig config;
    /// Written inside the hypervisor, read by the domain's vCPUs anywhere.
    std::atomic<Life> life{Life::alive};
    bool privileged() const { return config.privileged; }

    /// Of the host's processors (credit.h).
    CreditScheduler::Share share;
    /// VMASST_TYPE_*, a bit each.
    std::uint64_t vm_assist = 0;

    Mfn shared_info_mfn;
    std::byte* shared_info;
    std::vector<std::unique_ptr<Vcpu>> vcpus;
    unsigned vcpus_polling = 0;

    /// Its maximum reservation: its configuration's until a toolstack says another one.
    std::uint64_t max_frames;
    Physmap physmap;
    DirtyLog dirty;
    PodCache pod;
    /// Frames it owns (d->tot_pages): RAM only, in the physmap or not.
    std::uint64_t frames = 0;
    /// Owned RAM that is at no gfn: a mapping took its place, or increase_reservation gave it.
    std::vector<Mfn> unplaced;
    /// XENMEM_memory_map's answer: what its builder told it of its memory.
    std::vector<MemoryMapEntry> memory_map;
    /// Frames that it was promised beyond those (d->outstanding_pages).
    std::uint64_t claimed = 0;

    EventChannels events;
    GrantTable grants;
    Pirqs pirqs;

    std::array<std::uint64_t, HVM_NR_PARAMS> params{};
    /// domctl pauses; shutdown pauses its vCPUs by itself.
    unsigned pauses = 0;
    bool shut_down = false;
    unsigned shutdown_reason = 0;
    /// SCHEDOP_shutdown_code: the reason that a later shutdown reports.
    std::optional<unsigned> latched_reason;
    /// SCHEDOP_watchdog's two, named 1 and 2; their timers are vCPU 0's.
    struct Watchdog {
        bool in_use = false;
        OneShot timer;
    };
    std::array<Watchdog, 2> watchdogs{};
    /// What toolstacks say of it (domctl.h).
    std::array<std::uint8_t, sizeof(xen_domain_handle_t)> handle{};
    bool debugged = false, xenstore = false;
    /// It has been let run: its processor stays as it is.
    bool creation_finished = false;
    /// Null: its kind's default.
    std::unique_ptr<CpuPolicy> cpu_policy;
    /// Null: nobody has asked for it yet.
    std::unique_ptr<HvmContext> hvm_context;
    std::uint32_t emulation = 0;
    /// The domain to which this one may do what the control domain may; it stays as long as this one does.
    Domain* target = nullptr;
    /// Domains whose target this one is.
    unsigned targeted = 0;
    std::string console;
    HypercallCounts counts;
};

}  // namespace xenrig::hypervisor
