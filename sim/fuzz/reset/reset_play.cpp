#include "sim/fuzz/reset/reset_play.h"

#include "sim/fiber/fiber.h"
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
    made.choices = report.choices;
    made.accesses = report.accesses;
    made.acts = report.acts;
    made.late_writes = report.late_writes;
    made.state.assign(report.state.data(), report.state.size());
    return made;
}

}  // namespace

struct ResetPlay::World {
    World(const BlkTarget& target, const SubjectLibrary* library) {
        WorldHeap::resume();
        play = target.make(library ? library->subject() : nullptr);
        reserve_stacks(kStacks);
        WorldHeap::mark();
        WorldHeap::pause();
        image.add(WorldHeap::kept());
        for (const auto& pages : play->memory()) image.add(pages);
        for (const auto& stack : stacks_in_use()) image.add(stack);
        image.add_small(stack_pool());
        if (library) {
            for (const auto& pages : library->data()) image.add(pages);
            image.keep(library->counters());
        }
        image.take();
    }

    MemoryImage image;
    /// On the world's heap.
    std::unique_ptr<Play> play;
};

bool ResetPlay::possible() { return MemoryImage::possible(); }

ResetPlay::ResetPlay(const BlkTarget& target, const SubjectLibrary* library)
    : world_(std::make_unique<World>(target, library)) {}

ResetPlay::~ResetPlay() {
    WorldHeap::resume();
    world_->play.reset();
    WorldHeap::pause();
}

PlayReport ResetPlay::run(std::span<const std::byte> input) {
    World& w = *world_;
    PlayReport outside;
    WorldHeap::resume();
    {
        const PlayReport report = w.play->run(input);
        WorldHeap::pause();
        outside = copied(report);
    }
    cost_.heap_bytes = WorldHeap::used();
    w.image.restore();
    WorldHeap::back_to_mark();
    cost_.pages_looked_at = w.image.pages_looked_at();
    cost_.pages_restored = w.image.pages_restored();
    return outside;
}

}  // namespace xenrig::fuzz
