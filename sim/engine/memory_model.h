// When a store becomes visible, and how old a load may be: three machines.
//
//   sc       at once, never.
//   tso      stores wait in a FIFO buffer for each vCPU; loads see the own buffer first, then memory (x86).
//   relaxed  stores to different places leave the buffer in any order unless a wmb stands between them; a load may
//            return any value no older than what this vCPU has seen, unless an rmb stands between.
//
// Memory itself is one: what has left a buffer is visible to all (as on Arm and x86; Power's weaker rule is not
// modelled). A full barrier empties the buffer and forgets old values. A load is never ordered after a later store.
// A place is a range of bytes; bulk copies move in cache lines.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace xenrig::engine {

enum class Model : std::uint8_t { sc, tso, relaxed };

const char* name(Model m);

inline constexpr std::size_t kCacheLine = 64;

/// Called when a load has `n` values to choose from, newest first; returns which.
using PickValue = std::function<std::uint32_t(std::uint32_t n)>;

class MemoryModel {
public:
    MemoryModel(Model model, PickValue pick_value) : model_(model), pick_value_(std::move(pick_value)) {}

    Model model() const { return model_; }
    /// The number of the new vCPU, from 0.
    std::size_t add_cpu();

    void store(std::size_t cpu, std::byte* at, const std::byte* in, std::size_t length);
    void load(std::size_t cpu, const std::byte* at, std::byte* out, std::size_t length);

    void write_barrier(std::size_t cpu);
    void read_barrier(std::size_t cpu);
    void full_barrier(std::size_t cpu);

    /// Stores of this vCPU that may become visible next.
    std::uint32_t drainable(std::size_t cpu) const;
    /// Makes the k-th of them visible; returns the bytes that it wrote.
    std::size_t drain(std::size_t cpu, std::uint32_t k);
    bool empty(std::size_t cpu) const { return cpus_[cpu].buffer.empty(); }
    void drain_all(std::size_t cpu);

private:
    struct Store {
        std::byte* at;
        std::uint32_t length;
        std::uint32_t group;  ///< stores of one group are not ordered by a wmb
        std::array<std::byte, kCacheLine> bytes;
    };
    /// What a store replaced: walking back through these gives memory's older values.
    struct Old {
        std::uint64_t time;
        std::byte* at;
        std::uint32_t length;
        std::array<std::byte, kCacheLine> bytes;
    };
    struct Seen {
        const std::byte* at;
        std::size_t length;
        std::uint64_t time;
    };
    struct Buffers {
        std::vector<Store> buffer;
        std::uint32_t group = 0;
        std::uint64_t floor = 0;  ///< no load may see memory as of before this time
        std::vector<Seen> seen;   ///< for some places a later time: coherence
    };

    bool may_drain(const Buffers& c, std::size_t i) const;
    void make_visible(Buffers& c, std::size_t i);
    void remember(Buffers& c, const std::byte* at, std::size_t length, std::uint64_t time);
    std::uint64_t seen(const Buffers& c, const std::byte* at, std::size_t length) const;
    void load_line(Buffers& c, const std::byte* at, std::byte* out, std::size_t length);

    Model model_;
    PickValue pick_value_;
    std::vector<Buffers> cpus_;
    std::vector<Old> history_;
    std::uint64_t time_ = 0;
};

}  // namespace xenrig::engine
