// How a PV guest finds what it shares: by machine frames on its start page, mapped by its own page tables.
//
// Events come by callbacks that it registers (callback.h); its first vCPU starts with upcalls off, and it starts the
// others. Before a suspend it lets go of all mappings that are not its memory, and leaves the start page's frame where
// the toolstack looks for it (sched.h: SCHEDOP_shutdown), with the rings by its own frame numbers, as Linux does.
#pragma once

#include <map>
#include <optional>

#include "xenrig/guest/discovery.h"
#include "xenrig/guest/pv_memory.h"

namespace xenrig::guest {

class PvDiscovery final : public Discovery {
public:
    PvDiscovery(DomainLink& link, GuestMemory& memory, GfnPool& unpopulated, const PvLayout& layout, GfnRange window);

    Result<Gfn> shared_info() override;
    Result<Gfn> grant_frame(unsigned index) override;
    Result<RingPage> store() override;
    Result<RingPage> console() override;
    Result<> enable_upcalls() override;
    std::uint64_t linear(Gfn gfn) const override { return pages_.linear(gfn); }
    std::uint64_t frame_name(Gfn gfn) override;
    bool names_change() const override { return true; }
    std::uint64_t leave() override;
    void stay() override;

private:
    struct Mapped {
        Gfn gfn;
        Mfn mfn;
    };
    Result<> read_start_page();
    Result<> register_callbacks();
    Result<> start_vcpu(VcpuId vcpu);
    void mask_upcalls(bool masked);
    Result<Mapped> map(std::optional<Mapped>& at, Mfn mfn);
    Result<RingPage> ring_page(std::size_t mfn_at, std::size_t port_at);
    /// The rings' frames on the start page, by machine or by the guest's own numbers.
    void name_rings(bool by_machine);

    DomainLink& link_;
    GuestMemory& memory_;
    GfnPool& unpopulated_;
    PvMemory pages_;
    /// The start page, once it is found: it keeps its place.
    std::optional<Gfn> start_;
    shared::Window start_page_, shared_;
    std::optional<Mapped> shared_info_;
    std::map<unsigned, std::optional<Mapped>> grant_frames_;
    bool vcpus_started_ = false;
};

}  // namespace xenrig::guest
