// A PV domain as a toolstack sees it that saves it (tools/libs/guest: xg_sr_save_x86_pv.c): its frames by the list that
// the guest keeps of them, page tables with its own numbers in the place of machine frames, its vCPUs alike.
//
// The guest says in shared_info where its list is: by its page tables and the list's linear address (arch-x86/xen.h:
// p2m_cr3, p2m_vaddr). All of it is the guest's to write, so that nothing in it is believed.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "sim/image/content.h"
#include "sim/toolstack/control_calls.h"
#include "sim/toolstack/host.h"

namespace xenrig::toolstack {

class PvSource {
public:
    using Frame = std::array<std::byte, kPageSize>;

    PvSource(Host& host, DomId domain);

    /// Has the guest said where its list is? Not before it has come so far.
    bool ready() const;
    /// Takes the list up. ERANGE when it makes no sense.
    Result<> map_list();
    Gfn last() const { return Gfn{pages_ - 1}; }
    /// The pages that hold the list.
    const std::vector<Gfn>& list() const { return list_; }

    /// What these frames are used as, in order.
    Result<std::vector<image::PageType>> types(std::span<const Mfn> frames);
    /// Names frames by the guest's numbers in a copy of a page table. EAGAIN when it maps what is not the guest's
    /// memory: of a guest that runs it is to be copied later, of one that is suspended it is an error.
    Result<> normalise(Frame& table, image::PageType type) const;

    std::array<std::byte, kPageSize> shared_info() const;
    /// One that is up, with the guest's numbers; null for one that is down.
    Result<std::optional<std::vector<std::byte>>> vcpu(VcpuId id);

private:
    std::uint64_t shared_word(std::size_t offset) const;
    std::uint64_t word(Mfn frame, std::size_t offset) const;
    /// The frame behind a linear address in the tables of `top`.
    std::optional<Mfn> walk(Mfn top, std::uint64_t address) const;
    /// ERANGE for a frame that is not the guest's own.
    Result<Gfn> page_of(Mfn frame, const char* what) const;

    Host& host_;
    const DomId domain_;
    ControlCalls calls_;
    std::uint64_t pages_ = 0;
    std::vector<Gfn> list_;
    std::vector<Mfn> list_frames_;
};

}  // namespace xenrig::toolstack
