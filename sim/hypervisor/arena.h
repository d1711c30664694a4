// A memfd mapped once and used again by the next world: what MachineMemory stands on.
//
// An arena comes back with its contents as they were; it knows which pages still read as zeroes. Pooled for the
// process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sim/hypervisor/frame_info.h"

namespace xenrig::hypervisor {

class Arena {
public:
    /// At least `pages` pages, from the pool if it has one that fits.
    static std::unique_ptr<Arena> take(std::uint64_t pages);
    /// Into the pool; gives memory back to the system when much was touched.
    static void give_back(std::unique_ptr<Arena> arena);
    /// From now on each world has an arena of its own: for who puts back a world's memory, in which the arena's books
    /// lie.
    static void pool_none();

    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    std::byte* page(std::uint64_t index) { return base_ + index * 4096; }
    /// Makes the page read as zeroes, at no cost if nobody has had it.
    void zero(std::uint64_t index);
    int fd() const { return fd_; }
    /// One for each page; only those that a world has used hold anything.
    FrameInfo* infos() { return infos_; }

private:
    Arena(int fd, std::byte* base, FrameInfo* infos, std::uint64_t pages)
        : fd_(fd), base_(base), infos_(infos), pages_(pages) {}
    static std::unique_ptr<Arena> make(std::uint64_t pages);

    int fd_;
    std::byte* base_;
    FrameInfo* infos_;
    std::uint64_t pages_;
    /// Pages that were handed out once; the rest is still as the system made it.
    std::vector<bool> used_;
    std::uint64_t used_count_ = 0;
};

}  // namespace xenrig::hypervisor
