// The hypercalls of a 32-bit kernel: their structs are laid out as an i386 has them, in frames of the guest's own,
// since what a register of 32 bits can point to is a linear address, gfn * 4096 + offset.
//
// The kernel's code is the same for both words and has its structs in the 64-bit layout; here they are written into a
// place of their own for the length of the call, and what Xen wrote there is read back (abi/compat_layout.h). A vCPU
// that a migration stops in between finds its place in the frame's copy. Threads: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "xenrig/abi/compat_layout.h"
#include "xenrig/guest/domain_link.h"
#include "xenrig/guest/gfn_pool.h"

namespace xenrig::guest {

class NarrowCalls {
public:
    /// `frames` are populated, one after the other below 4 GiB, and nobody else's.
    NarrowCalls(DomainLink& link, GfnRange frames);

    /// `bytes`: of what each argument points to, of one element where that is a list; 0 for a number. ENOMEM when no
    /// room is left for the arguments.
    std::int64_t call(Hypercalls& vcpu, unsigned number, const HypercallArgs& args, const ArgumentBytes& bytes);

private:
    class Room;
    /// A list of structs of the kernel's, and where it stands for Xen. Without a layout both have the same bytes.
    struct List {
        std::byte* native;
        std::uint32_t narrow;
        std::size_t count;
        const CompatLayout* layout;
        std::size_t bytes;
    };

    bool put_list(std::vector<List>& lists, Room& room, const List& list);
    bool put_struct(std::vector<List>& lists, Room& room, const List& list, std::size_t index);
    void take_back(const List& list);
    /// False when the domain is dead.
    bool write(std::uint32_t to, std::span<const std::byte> bytes);
    bool read(std::uint32_t from, std::span<std::byte> bytes);
    std::optional<std::size_t> take(std::size_t units);
    void give(std::size_t first, std::size_t units);

    DomainLink& link_;
    const GfnRange frames_;
    /// Held without a choice point inside.
    std::mutex mutex_;
    std::vector<bool> used_;
};

}  // namespace xenrig::guest
