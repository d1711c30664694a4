// What an idle domain takes beyond its own pages, and how long ten thousand of them take to make: event channels (one
// unbound for the store, one for the console, a pair with the domain before), shared_info and the grant table at gfns
// of their own, a grant, a connection to xenstored through a ring page, and a home in the store.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../unit/hypervisor/fake_machine.h"
#include "../unit/hypervisor/guest.h"
#include "sim/xenstore/daemon.h"
#include "sim/xenstore/ring_door.h"
#include "sim/xenstore/store.h"
#include "xenrig/shared/lease.h"

namespace {

using namespace xenrig;
using test::Guest;

constexpr std::uint64_t kFrames = 4;
constexpr std::uint64_t kStoreGfn = 3;

std::size_t allocated() {
    const struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
}

/// Ring pages are frames of the domains.
class Rings final : public xenstore::Environment {
public:
    explicit Rings(hypervisor::Hypervisor& hv) : hv_(hv) {}
    xenstore::DomainState domain_state(DomId dom) override {
        return hv_.info(dom) ? xenstore::DomainState::alive : xenstore::DomainState::missing;
    }
    Result<std::unique_ptr<xenstore::RingTransport>> map_ring(DomId dom, Port) override {
        auto lease = std::make_shared<shared::Lease>();
        shared::Window page(hv_.address_space(dom).page(Gfn{kStoreGfn}), lease);
        return std::make_unique<xenstore::RingDoor>(std::move(page), [] {});
    }
    void rebind_ring(DomId, Port) override {}
    void unmap_ring(DomId) override {}

private:
    hypervisor::Hypervisor& hv_;
};

struct World {
    explicit World(std::uint64_t domains)
        : hv(machine, {.frames = (domains + 1) * (kFrames + 4)}), rings(hv), daemon(rings) {}

    void add() {
        Guest guest(hv, {.name = "idle", .max_frames = kFrames + 2}, kFrames);
        const auto store = guest.alloc_unbound(DomId{0});
        guest.alloc_unbound(DomId{0});
        const auto peer = guest.alloc_unbound(before);
        if (before.value != 0) guest.bind_interdomain(before, last_port);
        guest.map_special(XENMAPSPACE_shared_info, 0, kFrames);
        guest.grant(8, before, 2);
        static_cast<void>(daemon.introduce(guest.id, Port{store.number}));
        before = guest.id;
        last_port = peer.number;
        hv.unpause(guest.id).value();
    }

    test::FakeMachine machine;
    hypervisor::Hypervisor hv;
    Rings rings;
    xenstore::Daemon daemon;
    DomId before{0};
    std::uint32_t last_port = 0;
};

void IdleDomains(benchmark::State& state) {
    const auto domains = static_cast<std::uint64_t>(state.range(0));
    double bytes = 0;
    for (auto _ : state) {
        state.PauseTiming();
        auto world = std::make_unique<World>(domains);
        const std::size_t empty = allocated();
        state.ResumeTiming();
        for (std::uint64_t i = 0; i < domains; ++i) world->add();
        state.PauseTiming();
        bytes = static_cast<double>(allocated() - empty) / static_cast<double>(domains);
        if (world->hv.domains().size() != domains) state.SkipWithError("not all were made");
        world.reset();
        state.ResumeTiming();
    }
    state.counters["bytes/domain"] = bytes;
    state.counters["us/domain"] =
        benchmark::Counter(static_cast<double>(domains) * 1e-6,
                           benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(IdleDomains)->Arg(100)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
