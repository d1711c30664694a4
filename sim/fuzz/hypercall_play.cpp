// Any hypercall with any struct and any pointer, from any kind of domain: nothing crashes, corrupts or leaks.
//
// Byte 0 and 1 are the kinds of the hostile domain and of its helper (hypercall_world.h); bit 7 of byte 1: domains end
// from the last to the first. The rest are acts (hypercall_player.h).
#include <optional>

#include "sim/fuzz/blk_target.h"
#include "sim/fuzz/heap_in_use.h"
#include "sim/fuzz/hypercall_player.h"
#include "sim/hypervisor/machine_memory.h"

namespace xenrig::fuzz {

namespace {

/// What two hostile domains may make the hypervisor keep for them, besides frames: ports, maps, handles, page-table
/// nodes. Each has a limit; these are far below what an endless growth would reach in an input.
constexpr std::size_t kGrowthMax = 6 << 20;
constexpr unsigned kCallActsMax = 1024;

class HypercallPlay final : public Play {
public:
    void set_up(std::span<const std::byte> bytes) override {
        Input input(bytes);
        const std::uint8_t hostile = input.byte(), helper = input.byte();
        world_.emplace(world_bits(hostile, kOfHostile), world_bits(helper, kOfHelper));
    }

    PlayReport run(std::span<const std::byte> bytes) override {
        if (!world_) set_up(bytes);
        HypercallWorld& world = *world_;
        Input input(bytes);
        static_cast<void>(input.byte());
        const bool backwards = (input.byte() & kBackwardsOrder) != 0;
        HypercallPlayer player(world);
        PlayReport report;
        const auto broken = [&](const char* rule, std::string how) {
            report.problems.push_back({rule, std::move(how), player.calls()});
        };
        const std::size_t before = heap_in_use();
        while (!input.empty() && report.acts < kCallActsMax) {
            player.act(input);
            ++report.acts;
        }
        const std::size_t after = heap_in_use();
        if (after > before + kGrowthMax)
            broken("bounded-memory",
                   "the hypervisor keeps " + std::to_string((after - before) >> 10) + " KiB more than before");
        if (auto wrong = world.wrong()) broken("isolation", *wrong);
        if (report.ok())
            if (auto wrong = world.end(backwards)) broken("leak", *wrong);
        report.steps = player.calls();
        report.hash = player.hash();
        if (!report.ok()) report.trace_tail = player.tail();
        return report;
    }
    std::vector<std::span<std::byte>> memory() override {
        const hypervisor::MachineMemory& memory = world_->xen().memory();
        return {memory.pages(), memory.frame_table()};
    }

private:
    std::optional<HypercallWorld> world_;
};

}  // namespace

std::size_t hypercall_world_of(std::span<const std::byte> bytes) {
    Input input(bytes);
    const std::uint8_t hostile = input.byte(), helper = input.byte();
    return std::size_t{kOfHelper + 1} * world_bits(hostile, kOfHostile) + world_bits(helper, kOfHelper);
}

std::unique_ptr<Play> make_hypercall_play(SubjectPtr) { return std::make_unique<HypercallPlay>(); }

}  // namespace xenrig::fuzz
