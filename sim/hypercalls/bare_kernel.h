// A bare 64-bit PV kernel as dom0 of a fresh host, alone in its world: what tests/interop/real-xen boots on real Xen.
//
// Its structs lie in its own memory, so that a hypercall's pointers mean what they mean there. No vCPU runs anything
// else, and time stands still: a hypercall that would wait returns at once.
#pragma once

#include <cstdint>
#include <memory>

#include "sim/hypervisor/hypervisor.h"
#include "sim/hypervisor/xen_abi.h"

namespace xenrig::hypercalls {

class FlatAccess;
class StillMachine;

class BareKernel {
public:
    BareKernel();
    ~BareKernel();

    std::int64_t call(unsigned number, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0,
                      std::uint64_t d = 0);
    /// The operation's struct goes through the kernel's memory, there and back.
    template <class Op>
    std::int64_t call_on(unsigned number, unsigned operation, Op& op, std::uint64_t count = 0) {
        return call_on(number, operation, &op, sizeof op, count);
    }

    shared_info_t& shared_info();
    grant_entry_v1_t& grant_entry(std::int64_t ref) { return grants_[static_cast<std::uint64_t>(ref) % kGrants]; }

    /// 16 pages of its own to grant, and 16 that mappings are put over.
    std::byte* page(std::int64_t index) { return at(page_address(index)); }
    std::uint64_t page_address(std::int64_t index) const { return kPages + masked(index) * kPageSize; }
    std::uint64_t window_address(std::int64_t index) const { return kWindows + masked(index) * kPageSize; }
    /// What an address of the kernel leads to now; null when nothing is mapped there.
    std::byte* at(std::uint64_t address);
    /// Its stack, so to speak, is still there: without it the next operation is a fault.
    bool can_go_on() { return at(kScratch) != nullptr; }
    /// The machine frame behind one of its own addresses (its p2m).
    std::uint64_t machine_frame(std::uint64_t address) const;

    hypervisor::Hypervisor& host() { return *host_; }

private:
    static constexpr std::uint64_t kGrants = kPageSize / sizeof(grant_entry_v1_t);
    static constexpr std::uint64_t kScratch = 0x18'0000, kPages = 0x1a'0000, kWindows = 0x1c'0000;
    static std::uint64_t masked(std::int64_t index) { return static_cast<std::uint64_t>(index) & 15; }
    std::int64_t call_on(unsigned number, unsigned operation, void* op, std::size_t bytes, std::uint64_t count);

    std::unique_ptr<StillMachine> machine_;
    std::unique_ptr<hypervisor::Hypervisor> host_;
    DomId dom_{};
    std::unique_ptr<FlatAccess> memory_;
    grant_entry_v1_t* grants_ = nullptr;
};

}  // namespace xenrig::hypercalls
