// What a world and a block read cost: from nothing to a connected disk, and 4 KiB through both rings' ends.
//
// Limits measured beside them: a 4 KiB copy that is in the cache, and one that is not. Budgets: docs/design.md.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/threads/thread_machine.h"
#include "sim/toolstack/toolstack.h"
#include "sim/world/guest.h"
#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/drivers/blk/ram_disk.h"

namespace xenrig::world {
namespace {

constexpr unsigned kDevice = 51712;
constexpr Nanoseconds kPatience{60'000'000'000};

void copy_4k(benchmark::State& state) {
    const auto span = static_cast<std::size_t>(state.range(0));
    std::vector<std::byte> from(span, std::byte{1}), to(kPageSize);
    std::size_t at = 0;
    for (auto _ : state) {
        std::memcpy(to.data(), from.data() + at, kPageSize);
        benchmark::DoNotOptimize(to.data());
        benchmark::ClobberMemory();
        at = (at + 37 * kPageSize) % span;
    }
}
BENCHMARK(copy_4k)->Name("Copy4KiB/hot")->Arg(64 << 10);
BENCHMARK(copy_4k)->Name("Copy4KiB/cold")->Arg(512 << 20);

/// A host with backends on a disk in memory, and a guest of it. `settle` runs the machine until nothing is left to do.
template <class Settle>
class Rig {
public:
    Rig(Machine& machine, Settle settle, unsigned queues = 2)
        : settle_(std::move(settle)), host_(machine, {.name = "a"}), tools_(host_) {
        settle_();
        guest_ = std::make_unique<Guest>(machine, spec(), BlockFeatures{}.with_queues(queues));
        backends_ = std::make_unique<xenbus::Bus>(
            host_.control(), std::map<std::string, xenbus::BackendFactory>{
                                 {"vbd", blk::blkback_factory(host_.control(), [this](const blk::StorageRequest&) {
                                      return Result<std::shared_ptr<blk::Storage>>(disk_);
                                  })}});
        host_.spawn_job("boot", [this] {
            if (!backends_->start()) std::abort();
            const auto domain = tools_.build(guest_->spec());
            if (!domain) std::abort();
            guest_->bind(host_, *domain);
            if (!host_.xen().unpause(*domain)) std::abort();
        });
        guest_->kernel().spawn("connect", TaskRole::work, [this] {
            front_ = guest_->disk(kDevice);
            if (!front_->wait_connected()) std::abort();
        });
        settle_();
    }
    ~Rig() {
        guest_->kill();
        host_.stop();
        front_.reset();
    }

    Guest& guest() { return *guest_; }
    blk::Blkfront& front() { return *front_; }
    void settle() { settle_(); }

private:
    static toolstack::DomainSpec spec() { return {.name = "web", .disks = {{.number = kDevice, .params = "disk"}}}; }

    Settle settle_;
    std::shared_ptr<blk::RamDisk> disk_ = std::make_shared<blk::RamDisk>(blk::StorageInfo{.bytes = 1_MiB});
    toolstack::Host host_;
    toolstack::Toolstack tools_;
    std::unique_ptr<Guest> guest_;
    std::unique_ptr<xenbus::Bus> backends_;
    std::shared_ptr<blk::Blkfront> front_;
};

/// Reads 4 KiB `count` times with `depth` requests under way. Runs in a task of the guest.
void read_many(Guest& guest, blk::Blkfront& front, std::uint64_t count, unsigned depth) {
    struct Slot {
        blk::BlkOp op;
        FramePtr page;
        bool idle = true;
    };
    IrqLock lock{"reader"};
    WaitQueue done{"a read"};
    std::vector<Slot> slots(depth);
    for (Slot& s : slots) s.page = guest.kernel().memory().allocate().value();
    unsigned under_way = 0;
    for (std::uint64_t begun = 0; begun < count || under_way != 0;) {
        Slot* slot = nullptr;
        {
            const std::lock_guard held(lock);
            done.wait(lock, [&] {
                slot = nullptr;
                for (Slot& s : slots)
                    if (s.idle) slot = &s;
                return begun < count ? slot != nullptr : under_way == 0;
            });
            if (begun == count) break;
            slot->idle = false;
            ++under_way;
        }
        slot->op = {};
        slot->op.sector = begun++ * 8 % 2048;
        slot->op.segments.assign({{slot->page->gfn(), 0, 7, slot->page}});
        slot->op.done = [&, slot](blk::BlkOp& op) {
            if (!op.result) std::abort();
            const std::lock_guard held(lock);
            slot->idle = true;
            --under_way;
            done.wake_all();
        };
        front.submit(slot->op);
    }
}

void ConnectedDiskFromNothing(benchmark::State& state) {
    std::uint64_t steps = 0;
    for (auto _ : state) {
        engine::MildSource mild;
        engine::Engine engine{mild, {}};
        Rig rig{engine, [&] { engine.run(); }};
        steps = engine.steps();
    }
    state.counters["steps"] = static_cast<double>(steps);
}
BENCHMARK(ConnectedDiskFromNothing)->Unit(benchmark::kMicrosecond);

void DeterministicRead4KiB(benchmark::State& state) {
    constexpr std::uint64_t kReads = 1000;
    engine::SeededSource source{static_cast<std::uint64_t>(state.range(1))};
    engine::Engine engine{source, {.steps_max = ~0ull}};
    Rig rig{engine, [&] { engine.run(); }};
    for (auto _ : state) {
        rig.guest().kernel().spawn("reader", TaskRole::work, [&] {
            read_many(rig.guest(), rig.front(), kReads, static_cast<unsigned>(state.range(0)));
        });
        rig.settle();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kReads));
    state.counters["ns_per_read"] = benchmark::Counter(static_cast<double>(state.iterations() * kReads) * 1e-9,
                                                       benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(DeterministicRead4KiB)
    ->ArgNames({"depth", "seed"})
    ->Args({1, 7})
    ->Args({32, 7})
    ->Unit(benchmark::kMillisecond);

void ThreadedRead4KiB(benchmark::State& state) {
    constexpr std::uint64_t kReads = 20'000;
    threads::ThreadMachine machine;
    const auto settle = [&] {
        if (machine.wait_for_work(kPatience)) return;
        std::fputs(machine.state().c_str(), stderr);
        std::abort();
    };
    Rig rig{machine, settle, static_cast<unsigned>(state.range(1))};
    for (auto _ : state) {
        rig.guest().kernel().spawn("reader", TaskRole::work, [&] {
            read_many(rig.guest(), rig.front(), kReads, static_cast<unsigned>(state.range(0)));
        });
        rig.settle();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kReads));
    state.counters["ns_per_read"] = benchmark::Counter(static_cast<double>(state.iterations() * kReads) * 1e-9,
                                                       benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(ThreadedRead4KiB)
    ->ArgNames({"depth", "queues"})
    ->ArgsProduct({{1, 32}, {1, 4}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace xenrig::world
