// A guest's tie to the domain it lives in: hypercalls, the view of its memory, and the epoch.
//
// The guest outlives domains: a migration ties it to another one, and all that came from the old one (ports, grant
// references, handles, leases) belongs to an epoch that is over. When the domain dies its epoch ends first, and from
// then on no hypercall leaves the guest: what the hypervisor then finds is what a crash leaves behind.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "xenrig/abi/address_space.h"
#include "xenrig/abi/error.h"
#include "xenrig/abi/hypercall.h"
#include "xenrig/abi/pv_address_space.h"
#include "xenrig/abi/types.h"
#include "xenrig/guest/gfn_pool.h"
#include "xenrig/shared/lease.h"

namespace xenrig {
class Cpu;
class Interrupts;
}  // namespace xenrig

namespace xenrig::guest {

/// What a toolstack gives the guest with each domain.
struct Binding {
    /// One for each vCPU, in order; a 32-bit guest's take linear addresses. They and the memory must exist until the
    /// next bind() or the domain's death.
    std::vector<Hypercalls*> vcpus;
    AddressSpace* memory = nullptr;
    DomId domid;
    /// One for each vCPU, in order. Without them an upcall comes when vcpu_info says that one is pending.
    std::vector<Interrupts*> interrupts = {};
    /// A PV guest's: `memory` again.
    PvAddressSpace* pv = nullptr;
    /// The address of the start page: of a PV guest a linear one, which its first vCPU finds in %rsi; of a PVH guest a
    /// physical one, in %ebx.
    std::uint64_t start_info = 0;
};

class NarrowCalls;

/// Of what each argument of a hypercall points to, or of one element of a list; 0 for a number.
using ArgumentBytes = std::array<std::size_t, std::tuple_size_v<HypercallArgs>>;

class DomainLink {
public:
    /// With frames for `arguments` the guest is a 32-bit one, whose hypercalls take them from there (Binding: by
    /// linear addresses); they are populated, below 4 GiB, and nobody else's.
    explicit DomainLink(std::vector<Cpu*> cpus, GfnRange arguments = {});
    ~DomainLink();
    DomainLink(const DomainLink&) = delete;
    DomainLink& operator=(const DomainLink&) = delete;

    /// The width of the guest's word.
    unsigned bits() const { return narrow_ ? 32 : 64; }

    /// A new epoch begins. Only while no vCPU of the guest runs.
    void bind(const Binding& binding);
    /// The domain is gone or about to be torn down.
    void end_epoch();

    bool alive() const { return alive_.load(std::memory_order_acquire); }
    std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }
    /// Is a handle made in `epoch` still good for a hypercall? A no is counted.
    bool current(std::uint64_t epoch);
    DomId domid() const { return binding_.domid; }

    /// A hypercall on the calling vCPU, outside any on vCPU 0; -ESRCH without a call when the domain is dead.
    template <class... A>
    std::int64_t call(unsigned number, A... args) {
        static_assert(sizeof...(A) <= 5, "Xen's hypercalls take at most five arguments");
        return call(number, HypercallArgs{hypercall_arg(args)...}, ArgumentBytes{bytes_behind(args)...});
    }
    std::int64_t call(unsigned number, const HypercallArgs& args, const ArgumentBytes& bytes);

    /// Null where the domain has nothing.
    std::byte* page(Gfn gfn) { return alive() ? binding_.memory->page(gfn) : nullptr; }
    /// The same, but after the domain's death a page that is nobody's: its tasks run on until they block.
    std::byte* page_or_grave(Gfn gfn) { return alive() ? page(gfn) : grave_.data(); }
    void mark_dirty(Gfn gfn) {
        if (alive()) binding_.memory->mark_dirty(gfn);
    }

    /// Null where the domain has none.
    Interrupts* interrupts(VcpuId vcpu) const {
        return vcpu.value < binding_.interrupts.size() ? binding_.interrupts[vcpu.value] : nullptr;
    }
    /// What a PV guest was bound with.
    const PvAddressSpace& pv() const { return *binding_.pv; }
    bool is_pv() const { return binding_.pv != nullptr; }
    std::uint64_t start_info() const { return binding_.start_info; }

    const std::vector<Cpu*>& cpus() const { return cpus_; }
    /// The calling vCPU; 0 outside any.
    VcpuId vcpu() const;

    /// A lease whose number no other of this domain has.
    shared::LeasePtr make_lease(std::string name, bool writable = true, bool peer_writable = true);

    /// Hypercalls that were tried after the domain's death.
    std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
    /// Handles of an epoch that is over, used or released.
    std::uint64_t stale() const { return stale_.load(std::memory_order_relaxed); }

private:
    template <class T>
    static constexpr std::size_t bytes_behind(T) {
        if constexpr (std::is_pointer_v<T>)
            return sizeof(std::remove_pointer_t<T>);
        else
            return 0;
    }

    std::vector<Cpu*> cpus_;
    /// Null in a 64-bit guest.
    std::unique_ptr<NarrowCalls> narrow_;
    Binding binding_;
    std::atomic<bool> alive_{false};
    std::atomic<std::uint64_t> epoch_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<std::uint64_t> stale_{0};
    std::atomic<std::uint32_t> leases_{0};
    alignas(std::uint64_t) std::array<std::byte, kPageSize> grave_{};
};

/// The error of a hypercall's answer, which is negative.
Error hypercall_error(std::int64_t answer, const std::string& what);

}  // namespace xenrig::guest
