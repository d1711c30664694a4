// The memory of a kernel without page tables, which sees its pseudo-physical memory one to one: an address
// is gfn * 4096 and what is inside the page.
//
// That is how Xen's dom0 builder starts a kernel that asks for VIRT_BASE 0 (XEN_ELFNOTE_VIRT_BASE).
#pragma once

#include "sim/hypervisor/guest_access.h"
#include "xenrig/abi/address_space.h"

namespace xenrig::hypercalls {

class FlatAccess final : public hypervisor::GuestAccess {
public:
    FlatAccess(AddressSpace& memory, unsigned bits) : memory_(memory), bits_(bits) {}

    unsigned bits() const override { return bits_; }

    [[nodiscard]] bool copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) override;
    [[nodiscard]] bool copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) override;

private:
    /// `each(page's bytes, offset into the copy, how many)` for the parts of a range; false when a page is missing.
    template <class Each>
    bool walk(std::uint64_t address, std::size_t bytes, Each each);

    AddressSpace& memory_;
    unsigned bits_;
};

}  // namespace xenrig::hypercalls
