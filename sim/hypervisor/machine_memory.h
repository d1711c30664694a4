// The memory of one host: an arena of 4 KiB frames in a memfd, so that another process can map the same pages.
//
// Every frame is free or allocated, and the two always add up. An allocated frame has an owner and a count: one for its
// allocation, one for each use by another domain; it is free when the last one goes. It reads as zeroes when allocated
// and as poison when freed. Frame numbers begin at `first`, another one on each host, so that an old number never
// works.
//
// Making one costs microseconds: arenas are pooled, and a page is touched when page() first asks for it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "sim/hypervisor/frame_info.h"
#include "xenrig/abi/types.h"

namespace xenrig::hypervisor {

/// What a freed frame holds, in each of its 64-bit words.
inline constexpr std::uint64_t kPoison = 0xdead'f4a3'dead'f4a3;

/// Nowhere in the owner's physical map.
inline constexpr Gfn kNoGfn{~0ull};

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
    /// 2^order frames of RAM in a row below `limit`, the first one's number a multiple of that; nothing when there is
    /// no such row.
    std::optional<Mfn> allocate_run(DomId owner, unsigned order, Mfn limit);
    /// Behind the last frame that there is (Xen's max_page).
    Mfn end() const { return Mfn{first_.value + frames_}; }
    /// One use more of an allocated frame.
    void get(Mfn mfn);
    /// One use less; true when that freed the frame.
    bool put(Mfn mfn);
    void assign(Mfn mfn, DomId owner) { info(mfn).owner = owner; }

    bool allocated(Mfn mfn) const;
    /// Has anybody had the frame's address since it was allocated? If not, it reads as zeroes.
    bool touched(Mfn mfn) const { return info(mfn).touched.load(std::memory_order_relaxed); }
    DomId owner(Mfn mfn) const { return info(mfn).owner; }
    FrameKind kind(Mfn mfn) const { return info(mfn).kind; }
    std::uint32_t uses(Mfn mfn) const { return info(mfn).uses.load(std::memory_order_relaxed); }
    /// Where the owner sees the frame (the machine-to-physical table).
    Gfn gfn(Mfn mfn) const { return info(mfn).gfn; }
    void set_gfn(Mfn mfn, Gfn gfn) { info(mfn).gfn = gfn; }

    /// Where an allocated frame lies in this process; fixed while it is allocated. From any thread; all else is the
    /// hypervisor's, one at a time.
    std::byte* page(Mfn mfn);
    /// Does an allocated frame read as zeroes; and makes it do so.
    bool zero(Mfn mfn) const;
    void clear(Mfn mfn);

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

    /// All pages and the table of their uses as they lie in this process, for who takes a picture of a world's memory.
    std::span<std::byte> pages() const;
    std::span<std::byte> frame_table() const;

    /// The memfd, for another process; page `mfn` lies at (mfn - first) * 4096.
    int fd() const;

private:
    FrameInfo& info(Mfn mfn) const { return infos_[mfn.value - first_.value]; }
    void touch(Mfn mfn);
    void begin(Mfn mfn, DomId owner, FrameKind kind);
    std::optional<Mfn> free_run(std::uint64_t count, Mfn end) const;

    Mfn first_;
    std::uint64_t frames_;
    std::unique_ptr<Arena> arena_;
    /// In the arena, by number.
    FrameInfo* infos_;
    /// Frames from 0 to used_ - 1 have been allocated at least once.
    std::atomic<std::uint64_t> used_{0};
    std::uint64_t allocated_ = 0;
    std::deque<Mfn> freed_;
    std::mutex touching_;
};

}  // namespace xenrig::hypervisor
