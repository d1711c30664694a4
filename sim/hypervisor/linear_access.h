// The memory of a caller whose arguments lie in its domain's own frames: an address is a linear one of the guest's.
//
// Until a PV guest has given its vCPU page tables, and for HVM and PVH guests always, linear addresses are gfn * 4096
// and what is inside the page. Read-only mappings take no answers: a PV guest's is a fault, and a translated guest's
// write is dropped (p2m.h: P2M_DISCARD_WRITE_TYPES).
#pragma once

#include <optional>

#include "sim/hypervisor/guest_access.h"
#include "xenrig/abi/hypercall.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

class Vcpu;

class LinearAccess final : public GuestAccess {
public:
    explicit LinearAccess(Vcpu& caller) : vcpu_(caller) {}

    unsigned bits() const override;
    [[nodiscard]] bool copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) override;
    [[nodiscard]] bool copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) override;
    GuestAccess* lasting() override;

private:
    /// `each(address of the first byte, how many)` for the parts of a range that lie in one page; false when it says
    /// so.
    template <class Each>
    bool pages(std::uint64_t address, std::size_t bytes, Each each);

    /// The page that an address lies in; null where it can't be read.
    const std::byte* readable(std::uint64_t address);
    /// Its frame, or kDropped; nothing where a write is a fault.
    std::optional<Mfn> writable(std::uint64_t address);

    /// No frame: the write has no effect.
    static constexpr Mfn kDropped{~0ull};

    Vcpu& vcpu_;
};

/// The hypercalls of a vCPU whose guest keeps their arguments in its frames.
class LinearCalls final : public Hypercalls {
public:
    explicit LinearCalls(Vcpu& caller) : vcpu_(caller), access_(caller) {}
    std::int64_t call(unsigned number, const HypercallArgs& args) override;
    GuestAccess& access() { return access_; }

private:
    Vcpu& vcpu_;
    LinearAccess access_;
};

}  // namespace xenrig::hypervisor
