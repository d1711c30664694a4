// How a kind of guest finds the pages that it shares with the hypervisor, the store and the console.
//
// This is what differs between HVM (PVH among it) and PV guests: the former put shared_info and grant frames at gfns of
// their choosing (XENMEM_add_to_physmap, memory.h) and ask for the rings (HVMOP_get_param, hvm/params.h); the latter
// find machine frames in start_info (pv_discovery.h). All else in xenrig/guest is the same for both.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"
#include "xenrig/guest/domain_link.h"
#include "xenrig/guest/gfn_pool.h"

namespace xenrig::guest {

/// A ring page that the toolstack made before the guest booted, and the port that goes with it.
struct RingPage {
    Gfn gfn;
    Port port;
};

/// How upcalls come. `vector`: one for all vCPUs, without a controller; each has its own upcall while its
/// evtchn_upcall_pending is set. `per_vcpu`: a vector of each vCPU's local APIC. `gsi`, `pci_intx`: a level line of the
/// IO-APIC, for vCPU 0's events alone (what kernels did before vectors, and FreeBSD's and Windows' drivers of the
/// platform device). Of a PVH guest only the first two.
enum class CallbackWay : std::uint8_t { vector, per_vcpu, gsi, pci_intx };

class Discovery {
public:
    virtual ~Discovery() = default;

    /// Asked again after each migration; the answers keep their gfns.
    virtual Result<Gfn> shared_info() = 0;
    /// The table grows when `index` lies beyond its end, up to its maximum; then EINVAL.
    virtual Result<Gfn> grant_frame(unsigned index) = 0;
    /// ENOENT when the toolstack gave the domain none.
    virtual Result<RingPage> store() = 0;
    virtual Result<RingPage> console() = 0;
    /// Lets the hypervisor make upcalls. Again after each migration.
    virtual Result<> enable_upcalls() = 0;
    virtual CallbackWay callback_way() const { return CallbackWay::vector; }

    /// The linear address at which another domain's frame is mapped so that it appears at `gfn`.
    virtual std::uint64_t linear(Gfn gfn) const { return gfn.value * kPageSize; }
    /// How grant entries and hypercalls name a frame of the guest's own.
    virtual std::uint64_t frame_name(Gfn gfn) { return gfn.value; }
    /// Those names are of one domain: what is asked by them is asked with the grant table's lock held.
    virtual bool names_change() const { return false; }
    /// The last before SCHEDOP_shutdown, with all locks held; what goes with it as a further argument.
    virtual std::uint64_t leave() { return 0; }
    /// It was cancelled: all is as it was.
    virtual void stay() {}
};

class HvmDiscovery final : public Discovery {
public:
    HvmDiscovery(DomainLink& link, GfnPool& unpopulated, CallbackWay way = CallbackWay::vector)
        : link_(link), unpopulated_(unpopulated), way_(way) {}

    Result<Gfn> shared_info() override;
    Result<Gfn> grant_frame(unsigned index) override;
    Result<RingPage> store() override;
    Result<RingPage> console() override;
    Result<> enable_upcalls() override;
    CallbackWay callback_way() const override { return way_; }

private:
    Result<> set_callback(std::uint64_t via);
    Result<> set_upcall_vectors();
    /// The IO-APIC's pin of the line.
    void route(unsigned gsi);
    Result<> add_to_physmap(unsigned space, std::uint64_t index, Gfn gfn);
    Result<std::uint64_t> param(std::uint32_t index);
    Result<RingPage> ring_page(std::uint32_t pfn_index, std::uint32_t port_index);

    DomainLink& link_;
    GfnPool& unpopulated_;
    const CallbackWay way_;
    std::optional<Gfn> shared_info_;
    std::map<unsigned, Gfn> grant_frames_;
};

}  // namespace xenrig::guest
