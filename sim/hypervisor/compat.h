// Hypercalls of 32-bit callers: the caller's memory as if its structs had the 64-bit layout, so that each operation is
// written once.
//
// A translated struct or list stands at an address that no guest has; each field is read from and written to where it
// really lies, when it is read or written, so that a fault comes where it would have come (xen/common/compat).
#pragma once

#include <optional>
#include <vector>

#include "sim/hypervisor/guest_access.h"
#include "xenrig/abi/compat_layout.h"

namespace xenrig::hypervisor {

struct Call;
class Domain;

class CompatAccess final : public GuestAccess {
public:
    explicit CompatAccess(GuestAccess& caller) : caller_(caller) {}

    /// Where the struct, or the array of them, at `address` is seen in the 64-bit layout; a null pointer stays one.
    std::uint64_t translated(std::uint64_t address, const CompatLayout& layout, bool quiet = false);

    [[nodiscard]] bool copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) override;
    [[nodiscard]] bool copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) override;
    GuestAccess& caller() override { return caller_; }
    std::uint64_t callers(std::uint64_t address) const override;

private:
    struct Window {
        std::uint64_t address;
        const CompatLayout* layout;
        /// A write that fails is none, and no error.
        bool quiet;
    };
    /// The window of an address, with the offset into it; null for an ordinary one.
    const Window* window_of(std::uint64_t address, std::uint64_t& offset) const;
    bool read_element(const Window& window, std::uint64_t index, std::byte* native);
    bool write_fields(const Window& window, std::uint64_t index, std::size_t begin, const std::byte* from,
                      std::size_t bytes);

    GuestAccess& caller_;
    std::vector<Window> windows_;
};

/// May a list be where a 32-bit caller says (compat_handle_okay)? A PV guest's addresses end below Xen's.
bool compat_list_okay(const Domain& d, std::uint32_t address, std::uint64_t count, std::size_t bytes);
/// What the translation of a memory_op finds wrong before the operation looks at anything (common/compat/memory.c,
/// x86_64/compat/mm.c): its answer, if so.
std::optional<std::int64_t> refused_by_translation(Call& call, std::uint64_t operation);

/// One operation for a caller of either word, if it exists for the kind of domain that calls (the table at the end of
/// xen/include/hypercall-defs.c); else -ENOSYS.
std::int64_t invoke(Call& call, unsigned number);

}  // namespace xenrig::hypervisor
