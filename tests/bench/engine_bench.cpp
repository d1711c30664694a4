// What the engine costs: choice points, switches, checks of a shared access, a fresh world. Budgets: docs/design.md.
//
// Limits measured beside them: a bare jump between two fibers, and an unwatched access through the door.
#include <benchmark/benchmark.h>

#include <array>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/fiber/fiber.h"
#include "xenrig/shared/door.h"

namespace xenrig::engine {
namespace {

struct Page {
    alignas(64) std::array<std::byte, kPageSize> bytes{};
    shared::LeasePtr lease = [] {
        auto l = std::make_shared<shared::Lease>();
        l->peer_writable = false;
        return l;
    }();
    shared::Window window{bytes.data(), lease};
};

/// Switches at every step that can switch.
class AlwaysSource final : public Source {
public:
    std::uint64_t next(StreamKey, StreamKind, std::uint64_t from) override { return from; }
    std::uint32_t answer(StreamKey, StreamKind, std::uint64_t, std::uint32_t n) override { return n - 1; }
};

void ChoicePointWithoutSwitch(benchmark::State& state) {
    MildSource mild;
    Engine engine{mild, {.steps_max = ~0ull}};
    engine.add_cpu("v0").spawn("task", TaskRole::work, [&] {
        for (auto _ : state) engine.point(Step::wait, 1);
    });
    engine.run();
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ChoicePointWithoutSwitch);

void ChoicePointWithSwitchOfVcpu(benchmark::State& state) {
    // As many as a scenario's run has: each is recorded, so an endless world would measure fresh memory.
    constexpr std::uint32_t kEach = 50'000;
    std::uint64_t switches = 0;
    for (auto _ : state) {
        AlwaysSource always;
        Engine engine{always, {}};
        for (const char* name : {"v0", "v1"})
            engine.add_cpu(name).spawn("task", TaskRole::work, [&] {
                for (std::uint32_t i = 0; i < kEach; ++i) engine.point(Step::wait, 1);
            });
        engine.run();
        switches += engine.switches();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(switches));
    state.counters["ns_per_switch"] = benchmark::Counter(static_cast<double>(switches) * 1e-9,
                                                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(ChoicePointWithSwitchOfVcpu);

void ScheduledEventsRandomRecorded(benchmark::State& state) {
    std::uint64_t events = 0, seed = 0;
    for (auto _ : state) {
        SeededSource source{++seed};
        Page page;
        Engine engine{source, {}};
        for (const char* name : {"v0", "v1"}) {
            engine.add_cpu(name).spawn("task", TaskRole::work, [&] {
                for (std::uint32_t i = 0; i < 5000; ++i) shared::store<std::uint32_t>(page.window, 0, i);
            });
        }
        engine.run();
        events += engine.steps();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(events));
}
BENCHMARK(ScheduledEventsRandomRecorded);

void SharedLoadUnwatched(benchmark::State& state) {
    Page page;
    for (auto _ : state) benchmark::DoNotOptimize(shared::load<std::uint32_t>(page.window, 8));
}
BENCHMARK(SharedLoadUnwatched);

void SharedLoadInAWorld(benchmark::State& state) {
    MildSource mild;
    Page page;
    page.lease->peer_writable = state.range(0) != 0;
    Engine engine{mild, {.steps_max = ~0ull}};
    engine.add_cpu("v0").spawn("task", TaskRole::work, [&] {
        for (auto _ : state) {
            shared::new_decision();
            benchmark::DoNotOptimize(shared::load<std::uint32_t>(page.window, 8));
        }
    });
    engine.run();
}
BENCHMARK(SharedLoadInAWorld)->Arg(0)->Arg(1);

struct PingPong {
    Fiber main;
    Fiber other{[](void* self) {
                    auto* p = static_cast<PingPong*>(self);
                    for (;;) p->other.jump_to(p->main);
                },
                this};
};

void FiberJump(benchmark::State& state) {
    PingPong p;
    for (auto _ : state) p.main.jump_to(p.other);
    state.counters["ns_per_jump"] = benchmark::Counter(2.0 * static_cast<double>(state.iterations()) * 1e-9,
                                                       benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(FiberJump);

void FreshWorldOfTwoFibers(benchmark::State& state) {
    MildSource mild;
    for (auto _ : state) {
        Engine engine{mild, {}};
        engine.add_cpu("v0").spawn("a", TaskRole::work, [] {});
        engine.add_cpu("v1").spawn("b", TaskRole::work, [] {});
        engine.run();
    }
}
BENCHMARK(FreshWorldOfTwoFibers);

}  // namespace
}  // namespace xenrig::engine
