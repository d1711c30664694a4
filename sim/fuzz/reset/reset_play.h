// A target's world, set up once and put back after every input: what a fuzzer runs.
//
// Every run begins with the same memory, byte for byte, so it is a function of its input, whatever ran before. The
// program that uses it allocates from the world's heap (world_heap.h).
#pragma once

#include <memory>
#include <span>

#include "sim/fuzz/blk_target.h"

namespace xenrig::fuzz {

class SubjectLibrary;

class ResetPlay {
public:
    /// With the driver of a library whose memory can be put back; null for ours. It must outlive the play.
    explicit ResetPlay(const BlkTarget& target, const SubjectLibrary* library = nullptr);
    ~ResetPlay();
    ResetPlay(const ResetPlay&) = delete;
    ResetPlay& operator=(const ResetPlay&) = delete;

    /// MemoryImage::possible(): where it is not, every run makes a new world.
    static bool possible();

    /// Of a run without problems, all but the texts.
    PlayReport run(std::span<const std::byte> input);

    struct Cost {
        std::size_t pages_looked_at = 0, pages_restored = 0, heap_bytes = 0;
    };
    /// Of the last run.
    Cost cost() const { return cost_; }

private:
    struct World;
    std::unique_ptr<World> world_;
    Cost cost_;
};

}  // namespace xenrig::fuzz
