// What saving and restoring a guest's memory costs: bytes a second through the writer and the reader, beside memcpy's.

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "sim/image/hvm_context.h"
#include "sim/image/reader.h"
#include "sim/image/visitor.h"
#include "sim/image/writer.h"

namespace xenrig::image {
namespace {

using Bytes = std::vector<std::byte>;

/// Beyond the caches of most machines.
constexpr std::size_t kMemoryBytes = 64_MiB;

Bytes memory() {
    Bytes bytes(kMemoryBytes);
    for (std::size_t i = 0; i < bytes.size(); i += 8) bytes[i] = static_cast<std::byte>(i >> 3);
    return bytes;
}

void save(const Bytes& ram, const Writer::Sink& sink) {
    Writer w(sink);
    w.begin({});
    std::vector<Page> batch;
    for (std::size_t at = 0; at < ram.size(); at += kPageSize) {
        batch.push_back({Gfn{at / kPageSize}, ram.data() + at});
        if (batch.size() < kPagesPerRecordMax) continue;
        w.pages(batch);
        batch.clear();
    }
    w.machine_state(MachineState::hvm_context, minimal_hvm_context(0, 0));
    w.guest_context({});
    w.end();
}

/// Puts the pages where a restored guest has them.
struct Restore final : Visitor {
    Result<> on_pages(std::span<const Page> pages) override {
        for (const Page& p : pages) std::memcpy(ram.data() + p.gfn.value * kPageSize, p.data, kPageSize);
        return {};
    }
    Bytes ram = Bytes(kMemoryBytes);
};

void Memcpy(benchmark::State& state) {
    const Bytes from = memory();
    Bytes to(kMemoryBytes);
    for (auto _ : state) {
        std::memcpy(to.data(), from.data(), kMemoryBytes);
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kMemoryBytes));
}
BENCHMARK(Memcpy);

void SaveToMemory(benchmark::State& state) {
    const Bytes ram = memory();
    Bytes out(kMemoryBytes + kMemoryBytes / 8);
    for (auto _ : state) {
        std::size_t at = 0;
        save(ram, [&](std::span<const std::byte> bytes) {
            std::memcpy(out.data() + at, bytes.data(), bytes.size());
            at += bytes.size();
        });
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kMemoryBytes));
}
BENCHMARK(SaveToMemory);

void RestoreFromPieces(benchmark::State& state) {
    Bytes image;
    save(memory(), [&](std::span<const std::byte> bytes) { image.insert(image.end(), bytes.begin(), bytes.end()); });
    const auto piece = static_cast<std::size_t>(state.range(0));
    Restore restored;
    for (auto _ : state) {
        Reader reader(restored);
        for (std::size_t at = 0; at < image.size(); at += piece)
            if (!reader.feed(std::span(image).subspan(at, std::min(piece, image.size() - at))))
                return state.SkipWithError("the image was refused");
        if (!reader.finish()) return state.SkipWithError("the image was cut off");
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kMemoryBytes));
}
BENCHMARK(RestoreFromPieces)->Arg(1000)->Arg(64 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace xenrig::image
