// What gives the answers decides what kind of run it is: a random walk, a replay, an exhaustive check.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "sim/engine/choices.h"

namespace xenrig::engine {

/// Always the mildest answer.
class MildSource final : public Source {
public:
    std::uint64_t next(StreamKey, StreamKind, std::uint64_t) override { return ~0ull; }
    std::uint32_t answer(StreamKey, StreamKind, std::uint64_t, std::uint32_t) override { return 0; }
};

/// A random walk that is a function of the seed alone: each answer is a hash of (seed, stream, ordinal).
///
/// Neither a scheduler that switches at every step nor one that rarely does finds all bugs, so the seed also draws how
/// long a vCPU stays on average, from 1 to 128 shared accesses and from 1 to 2,048 locks, and how rare faults are.
class SeededSource final : public Source {
public:
    explicit SeededSource(std::uint64_t seed);
    std::uint64_t next(StreamKey key, StreamKind kind, std::uint64_t from) override;
    std::uint32_t answer(StreamKey key, StreamKind kind, std::uint64_t ordinal, std::uint32_t n) override;

private:
    std::uint64_t hash(StreamKey key, std::uint64_t ordinal, std::uint64_t salt) const;

    std::uint64_t seed_;
    std::uint64_t stay_;
    std::uint64_t stay_at_locks_;
    std::uint64_t fault_every_;
};

/// For worlds with a vCPU whose stores are late (Engine::stores_late()): a random walk of the seed's, in which a vCPU
/// stays until it waits or has a late store that waits, and a load may have any age. So each run tries how others see
/// these moments, and little else.
class LateSource final : public Source {
public:
    explicit LateSource(std::uint64_t seed) : walk_(seed) {}
    std::uint64_t next(StreamKey key, StreamKind kind, std::uint64_t from) override;
    std::uint32_t answer(StreamKey key, StreamKind kind, std::uint64_t ordinal, std::uint32_t n) override;

private:
    SeededSource walk_;
    const StreamKey age_ = stream_key(kAgeStream);
};

/// A recorded list: its picks, and 0 for all others.
class ReplaySource final : public Source {
public:
    explicit ReplaySource(std::span<const Pick> picks);
    std::uint64_t next(StreamKey key, StreamKind kind, std::uint64_t from) override;
    std::uint32_t answer(StreamKey key, StreamKind kind, std::uint64_t ordinal, std::uint32_t n) override;

private:
    std::map<StreamKey, std::map<std::uint64_t, std::uint32_t>> picks_;
};

/// Depth first through all answers: run, advance(), run again, until advance() says that there is nothing left.
/// For small worlds: nothing is reduced.
class ExhaustiveSource final : public Source {
public:
    std::uint64_t next(StreamKey, StreamKind, std::uint64_t from) override { return from; }
    std::uint32_t answer(StreamKey, StreamKind, std::uint64_t, std::uint32_t n) override;

    /// Prepares the next run; false when all have been made.
    bool advance();

private:
    struct Branch {
        std::uint32_t taken, of;
    };
    std::vector<Branch> path_;
    std::size_t depth_ = 0;
};

}  // namespace xenrig::engine
