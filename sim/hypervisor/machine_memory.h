// The memory of one host: an arena of 4 KiB frames in a memfd, so that another process can map the same pages.
//
// Every frame is free or allocated, and the two always add up. An allocated frame has an owner and a count: one for its
// allocation, one for each use by another domain; it is free when the last one goes. It reads as zeroes when allocated
// and as poison when freed. Frame numbers begin at `first`, another one on each host, so that an old number never
// works.
//
// Making one costs microseconds: arenas are pooled, and a page is touched when page() first asks for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

/// What a freed frame holds, in each of its 64-bit words.
inline constexpr std::uint64_t kPoison = 0xdead'f4a3'dead'f4a3;

/// Nowhere in the owner's physical map.
inline constexpr Gfn kNoGfn{~0ull};

/// `ram` is a domain's own and counts against its reservation; `special` is what the hypervisor shares with it
/// (shared_info, grant frames, status frames).
enum class FrameKind : std::uint8_t { ram, special };

class Arena;

class MachineMemory {
public:
    MachineMemory(std::uint64_t frames, Mfn first);
    ~MachineMemory();
    MachineMemory(const MachineMemory&) = delete;
    MachineMemory& operator=(const MachineMemory&) = delete;

    /// A frame that reads as zeroes, with a count of one; nothing when all are taken. Freed frames come last and oldest
    /// first, so that poison stays as long as it can.
    std::optional<Mfn> allocate(DomId owner, FrameKind kind);
    /// One use more of an allocated frame.
    void get(Mfn mfn);
    /// One use less; true when that freed the frame.
    bool put(Mfn mfn);
    void assign(Mfn mfn, DomId owner) { info(mfn).owner = owner; }

    bool allocated(Mfn mfn) const;
    DomId owner(Mfn mfn) const { return info(mfn).owner; }
    FrameKind kind(Mfn mfn) const { return info(mfn).kind; }
    std::uint32_t uses(Mfn mfn) const { return info(mfn).uses; }
    /// Where the owner sees the frame (the machine-to-physical table).
    Gfn gfn(Mfn mfn) const { return info(mfn).gfn; }
    void set_gfn(Mfn mfn, Gfn gfn) { info(mfn).gfn = gfn; }

    /// Where an allocated frame lies in this process; fixed while it is allocated.
    std::byte* page(Mfn mfn);

    Mfn first() const { return first_; }
    std::uint64_t frames() const { return frames_; }
    std::uint64_t frames_allocated() const { return allocated_; }
    std::uint64_t frames_free() const { return frames_ - used_ + freed_.size(); }

    /// The same, counted anew from every frame.
    struct Count {
        std::uint64_t allocated = 0, free = 0;
    };
    Count recount() const;
    /// Freed frames whose poison was overwritten: somebody kept an address.
    std::vector<Mfn> overwritten_poison() const;

    /// The memfd, for another process; page `mfn` lies at (mfn - first) * 4096.
    int fd() const;

private:
    struct Info {
        Gfn gfn{};
        std::uint32_t uses = 0;
        DomId owner{};
        FrameKind kind = FrameKind::ram;
        /// page() has given its address away since it was allocated.
        bool touched = false;
    };
    Info& info(Mfn mfn);
    const Info& info(Mfn mfn) const { return const_cast<MachineMemory*>(this)->info(mfn); }

    Mfn first_;
    std::uint64_t frames_;
    std::unique_ptr<Arena> arena_;
    /// Frames from 0 to used_ - 1 have been allocated at least once; only they have an entry.
    std::uint64_t used_ = 0;
    std::uint64_t allocated_ = 0;
    std::vector<Info> infos_;
    std::deque<Mfn> freed_;
};

inline MachineMemory::Info& MachineMemory::info(Mfn mfn) { return infos_[mfn.value - first_.value]; }

}  // namespace xenrig::hypervisor
