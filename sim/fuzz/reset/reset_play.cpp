#include "sim/fuzz/reset/reset_play.h"

#include "sim/fiber/fiber.h"
#include "sim/fuzz/heap_in_use.h"
#include "sim/fuzz/reset/memory_image.h"
#include "sim/fuzz/reset/subject_library.h"
#include "sim/fuzz/reset/world_heap.h"

namespace xenrig::fuzz {

namespace {

/// More tasks than a run of kActsMax acts needs at a time.
constexpr std::size_t kStacks = 96;

/// The same on the other heap.
PlayReport copied(const PlayReport& report) {
    PlayReport made;
    for (const engine::Problem& p : report.problems)
        made.problems.push_back(
            {std::string(p.oracle.data(), p.oracle.size()), std::string(p.text.data(), p.text.size()), p.step});
    for (const std::string& line : report.trace_tail) made.trace_tail.emplace_back(line.data(), line.size());
    made.hash = report.hash;
    made.steps = report.steps;
    made.accesses = report.accesses;
    made.acts = report.acts;
    made.late_writes = report.late_writes;
    made.state.assign(report.state.data(), report.state.size());
    return made;
}

}  // namespace

struct ResetPlay::World {
    World(const BlkTarget& target, const SubjectLibrary* library, std::span<const std::byte> input) {
        WorldHeap::resume();
        play = target.make(library ? library->subject() : nullptr);
        play->set_up(input);
        if (target.fibers) reserve_stacks(kStacks);
        image.add(WorldHeap::mark());
        WorldHeap::pause();
        for (const auto& pages : play->memory()) image.add(pages);
        if (target.fibers) {
            for (const auto& stack : stacks_in_use()) image.add(stack);
            image.add_small(stack_pool());
        }
        if (library) {
            for (const auto& pages : library->data()) image.add(pages);
            image.keep(library->counters());
        }
        image.take();
    }
    ~World() {
        WorldHeap::resume();
        play.reset();
        WorldHeap::pause();
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    MemoryImage image;
    /// On the world's heap.
    std::unique_ptr<Play> play;
};

bool ResetPlay::possible() { return MemoryImage::possible(); }

ResetPlay::ResetPlay(const BlkTarget& target, const SubjectLibrary* library) : target_(target), library_(library) {
    count_heap_by(&WorldHeap::in_use);
}

ResetPlay::~ResetPlay() { count_heap_by(nullptr); }

ResetPlay::World& ResetPlay::world_for(std::span<const std::byte> input) {
    auto& world = worlds_[target_.world_of ? target_.world_of(input) : 0];
    if (!world) world = std::make_unique<World>(target_, library_, input);
    return *world;
}

PlayReport ResetPlay::run(std::span<const std::byte> input) {
    World& w = world_for(input);
    PlayReport outside;
    WorldHeap::resume();
    {
        const PlayReport report = w.play->run(input);
        WorldHeap::pause();
        outside = copied(report);
    }
    w.image.restore();
    WorldHeap::back_to_mark();
    return outside;
}

}  // namespace xenrig::fuzz
