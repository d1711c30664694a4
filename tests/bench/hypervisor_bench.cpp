// What a hypercall costs without a world around it: no choice point, no observer, one thread.
#include <benchmark/benchmark.h>

#include "../unit/hypervisor/fake_machine.h"
#include "../unit/hypervisor/guest.h"

namespace {

using namespace xenrig;
using test::Guest;

constexpr std::uint64_t kWindow = 0x4'0000;

struct Pair {
    test::FakeMachine machine;
    hypervisor::Hypervisor hv{machine, {}};
    Guest front{hv, {.name = "front"}};
    Guest back{hv, {.name = "back"}};
};

void Send(benchmark::State& state) {
    Pair p;
    const auto port = p.front.alloc_unbound(p.back.id).number;
    const auto local = p.back.bind_interdomain(p.front.id, port).number;
    for (auto _ : state) {
        p.back.send(local);
        p.front.clear_events();
    }
}
BENCHMARK(Send);

void MapAndUnmap(benchmark::State& state) {
    Pair p;
    p.front.grant(8, p.back.id, 3);
    for (auto _ : state) {
        const auto mapping = p.back.map(p.front.id, 8, kWindow);
        p.back.unmap(mapping.number, kWindow);
    }
}
BENCHMARK(MapAndUnmap);

void CopyPage(benchmark::State& state) {
    Pair p;
    p.front.grant(8, p.back.id, 3);
    p.back.grant(9, p.back.id, 4);
    auto op = p.back.copy_op(8, p.front.id, 9, p.back.id);
    op.len = kPageSize;
    for (auto _ : state) p.back.copy(op);
}
BENCHMARK(CopyPage);

void UpcallPending(benchmark::State& state) {
    Pair p;
    for (auto _ : state) benchmark::DoNotOptimize(p.hv.upcall_pending(p.front.id, VcpuId{0}));
}
BENCHMARK(UpcallPending);

/// Two domains of 16 frames, touched, granted, connected, and destroyed with their host.
void World(benchmark::State& state) {
    for (auto _ : state) {
        Pair p;
        for (std::uint64_t gfn = 0; gfn < 16; ++gfn) {
            p.front.page(gfn);
            p.back.page(gfn);
        }
        p.front.grant(8, p.back.id, 3);
        p.back.map(p.front.id, 8, kWindow);
    }
}
BENCHMARK(World);

}  // namespace
