#include "sim/engine/sources.h"

#include "xenrig/abi/check.h"

namespace xenrig::engine {

namespace {

/// splitmix64's finalizer: every input bit reaches every output bit.
constexpr std::uint64_t mix(std::uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ull;

}  // namespace

SeededSource::SeededSource(std::uint64_t seed)
    : seed_(mix(seed + kGolden)),
      stay_(1ull << (mix(seed_ + 1) % 8)),
      stay_at_locks_(1ull << (mix(seed_ + 3) % 12)),
      fault_every_(8ull << (mix(seed_ + 2) % 6)) {}

std::uint64_t SeededSource::hash(StreamKey key, std::uint64_t ordinal, std::uint64_t salt) const {
    return mix(seed_ ^ mix((std::uint64_t{key} << 32) + salt + ordinal * kGolden));
}

std::uint64_t SeededSource::next(StreamKey key, StreamKind kind, std::uint64_t from) {
    if (kind == StreamKind::data) return from;
    const std::uint64_t mean = kind == StreamKind::schedule ? stay_
                               : kind == StreamKind::sync   ? stay_at_locks_
                                                            : fault_every_;
    return from + hash(key, from, 1) % (2 * mean - 1);
}

std::uint32_t SeededSource::answer(StreamKey key, StreamKind kind, std::uint64_t ordinal, std::uint32_t n) {
    const auto h = static_cast<std::uint32_t>(hash(key, ordinal, 2) >> 16);
    return kind == StreamKind::data ? h % n : 1 + h % (n - 1);
}

std::uint64_t LateSource::next(StreamKey key, StreamKind kind, std::uint64_t from) {
    return kind == StreamKind::data || key == age_ ? from : ~0ull;
}

std::uint32_t LateSource::answer(StreamKey key, StreamKind kind, std::uint64_t ordinal, std::uint32_t n) {
    return kind == StreamKind::data || key == age_ ? walk_.answer(key, StreamKind::data, ordinal, n) : 0;
}

ReplaySource::ReplaySource(std::span<const Pick> picks) {
    for (const Pick& p : picks) picks_[p.key][p.ordinal] = p.value;
}

std::uint64_t ReplaySource::next(StreamKey key, StreamKind, std::uint64_t from) {
    const auto stream = picks_.find(key);
    if (stream == picks_.end()) return ~0ull;
    const auto pick = stream->second.lower_bound(from);
    return pick == stream->second.end() ? ~0ull : pick->first;
}

std::uint32_t ReplaySource::answer(StreamKey key, StreamKind, std::uint64_t ordinal, std::uint32_t) {
    const auto stream = picks_.find(key);
    if (stream == picks_.end()) return 0;
    const auto pick = stream->second.find(ordinal);
    return pick == stream->second.end() ? 0 : pick->second;
}

std::uint32_t ExhaustiveSource::answer(StreamKey, StreamKind, std::uint64_t, std::uint32_t n) {
    if (depth_ == path_.size()) path_.push_back({0, n});
    check(path_[depth_].of == n, "the same choices lead to the same alternatives");
    return path_[depth_++].taken;
}

bool ExhaustiveSource::advance() {
    path_.resize(depth_);
    depth_ = 0;
    while (!path_.empty() && path_.back().taken + 1 == path_.back().of) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().taken;
    return true;
}

}  // namespace xenrig::engine
