// The memory of a PV guest as its own instructions reach it: by the page tables that its vCPU 0 has loaded.
//
// The tables are the machine's to walk at any time, from any thread, as a processor does.
#pragma once

#include <optional>

#include "xenrig/abi/pv_address_space.h"

namespace xenrig::hypervisor {

class Domain;

class LinearSpace final : public PvAddressSpace {
public:
    /// Page 0 is the one at the linear address `base`.
    LinearSpace(Domain& domain, std::uint64_t base) : domain_(domain), base_(base) {}

    std::uint64_t base() const { return base_; }
    std::byte* page(Gfn gfn) override;
    void mark_dirty(Gfn gfn) override;
    Gfn machine_to_phys(Mfn mfn) const override;

private:
    std::optional<Mfn> frame(Gfn gfn) const;

    Domain& domain_;
    const std::uint64_t base_;
};

}  // namespace xenrig::hypervisor
