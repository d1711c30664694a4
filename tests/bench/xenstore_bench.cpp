// What the store costs in process: read, write and transaction beside 1,000 to 1,000,000 other nodes, with idle watches
// elsewhere, memory for a node, and one directory with a million children. Budgets: docs/design.md.
//
// Limit measured beside them: finding the same path in a plain hash table.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>

#include "sim/xenstore/daemon.h"
#include "sim/xenstore/store.h"
#include "sim/xenstore/stream_door.h"

namespace xenrig::xenstore {
namespace {

constexpr std::string_view kState = "/local/domain/7/device/vbd/51712/state";

/// A store with `others` nodes in directories of a hundred, and one client.
struct World {
    explicit World(std::int64_t others) {
        for (std::int64_t i = 0; i < others; ++i)
            (void)store.write(caller, "/other/" + std::to_string(i / 100) + "/node" + std::to_string(i % 100), "value");
        (void)store.write(caller, kState, "4");
    }

    NoDomains none;
    Daemon daemon{none};
    StreamDoor door{daemon};
    struct Nowhere final : Transport {
        std::expected<std::size_t, RingFault> read(std::span<std::byte>) override { return 0; }
        std::expected<std::size_t, RingFault> write(std::span<const std::byte>) override { return 0; }
        bool can_read() override { return false; }
        bool can_write() override { return false; }
        void broken(RingFault) override {}
    } nowhere;
    Store& store = daemon.store();
    Connection& connection = daemon.connect(nowhere);
    Caller caller{connection};
};

void sizes(benchmark::internal::Benchmark* b) { b->Arg(1'000)->Arg(100'000)->Arg(1'000'000); }

void HashTableLookup(benchmark::State& state) {
    std::unordered_map<std::string, std::string> table;
    for (std::int64_t i = 0; i < state.range(0); ++i) table["/other/" + std::to_string(i)] = "value";
    const std::string path(kState);
    table[path] = "4";
    for (auto _ : state) benchmark::DoNotOptimize(table.find(path));
}
BENCHMARK(HashTableLookup)->Apply(sizes);

void Read(benchmark::State& state) {
    World world(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(world.store.read(world.caller, kState));
}
BENCHMARK(Read)->Apply(sizes);

void Write(benchmark::State& state) {
    World world(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(world.store.write(world.caller, kState, "4"));
}
BENCHMARK(Write)->Apply(sizes);

void WriteBesideIdleWatches(benchmark::State& state) {
    World world(1'000);
    for (std::int64_t i = 0; i < state.range(0); ++i)
        (void)world.store.watch(world.connection, "/local/domain/" + std::to_string(100 + i) + "/x", "token", -1);
    for (auto _ : state) benchmark::DoNotOptimize(world.store.write(world.caller, kState, "4"));
}
BENCHMARK(WriteBesideIdleWatches)->Arg(0)->Arg(10'000);

void TransactionOfAReadAndAWrite(benchmark::State& state) {
    World world(state.range(0));
    for (auto _ : state) {
        const auto id = world.store.start(world.caller);
        const Caller inside{world.connection, world.connection.transactions.at(*id).get()};
        benchmark::DoNotOptimize(world.store.read(inside, "/local/domain/7/device/vbd/51712"));
        benchmark::DoNotOptimize(world.store.write(inside, kState, "4"));
        benchmark::DoNotOptimize(world.store.end(inside, true));
    }
}
BENCHMARK(TransactionOfAReadAndAWrite)->Apply(sizes);

void CreateAndRemove(benchmark::State& state) {
    World world(state.range(0));
    for (auto _ : state) {
        benchmark::DoNotOptimize(world.store.write(world.caller, "/local/domain/7/new", "value"));
        benchmark::DoNotOptimize(world.store.rm(world.caller, "/local/domain/7/new"));
    }
}
BENCHMARK(CreateAndRemove)->Apply(sizes);

void OneDirectoryOfAMillion(benchmark::State& state) {
    World world(0);
    for (int i = 0; i < 1'000'000; ++i) (void)world.store.write(world.caller, "/d/node" + std::to_string(i), "value");
    unsigned i = 0;
    for (auto _ : state) {
        const std::string path = "/d/node" + std::to_string(i = (i + 7'919) % 1'000'000);
        benchmark::DoNotOptimize(world.store.rm(world.caller, path));
        benchmark::DoNotOptimize(world.store.write(world.caller, path, "value"));
        benchmark::DoNotOptimize(world.store.directory_part(world.caller, "/d", i * 9));
    }
    state.SetLabel("remove, create, one part of the list");
}
BENCHMARK(OneDirectoryOfAMillion);

void BytesForANode(benchmark::State& state) {
    for (auto _ : state) {
        const std::size_t before = mallinfo2().uordblks;
        World world(0);
        const std::string prefix = state.range(0) == 1 ? "/d/" : "/other/";
        for (int i = 0; i < 1'000'000; ++i) {
            const std::string path = state.range(0) == 1 ? prefix + std::to_string(i)
                                                         : prefix + std::to_string(i / 8) + "/" + std::to_string(i % 8);
            (void)world.store.write(world.caller, path, "value");
        }
        state.counters["bytes"] = static_cast<double>(mallinfo2().uordblks - before) / 1e6;
    }
    state.SetLabel(state.range(0) == 1 ? "one directory" : "directories of eight");
}
BENCHMARK(BytesForANode)->Arg(1)->Arg(8)->Iterations(1);

/// The same read as bytes: a message in, a pass of the daemon, a message out.
void ReadThroughTheStream(benchmark::State& state) {
    World world(state.range(0));
    std::string message(sizeof(xsd_sockmsg), '\0');
    const xsd_sockmsg header{XS_READ, 1, 0, static_cast<std::uint32_t>(kState.size() + 1)};
    std::memcpy(message.data(), &header, sizeof header);
    message.append(kState).push_back('\0');
    for (auto _ : state) {
        world.door.feed(std::as_bytes(std::span(message)));
        world.daemon.service();
        world.door.discard_output(world.door.output().size());
    }
}
BENCHMARK(ReadThroughTheStream)->Apply(sizes);

}  // namespace
}  // namespace xenrig::xenstore
