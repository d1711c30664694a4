// A target's worlds, set up once and put back after every input: what a fuzzer runs.
//
// Each input is played in the world that it asks for (BlkTarget::world_of); the first one to ask has it made. Every run
// begins with the same memory, byte for byte, so it is a function of its input, whatever ran before. The program that
// uses it allocates from the world's heap (world_heap.h). Of one target in a process at a time: their fibers' stacks
// are the same.
#pragma once

#include <cstddef>
#include <map>
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

private:
    struct World;
    World& world_for(std::span<const std::byte> input);

    const BlkTarget& target_;
    const SubjectLibrary* const library_;
    std::map<std::size_t, std::unique_ptr<World>> worlds_;
};

}  // namespace xenrig::fuzz
