// Choices from a fuzzer's bytes: every answer takes the next byte, and when they are used up, all is mild.
//
// A stream of the schedule, of locks or of faults first asks when its next answer may be other than 0: that byte is the
// distance, 0 for never again. So a few bytes say where, in a run of thousands of steps, somebody is preempted.
#pragma once

#include "sim/engine/choices.h"
#include "sim/fuzz/input.h"

namespace xenrig::fuzz {

class ByteSource final : public engine::Source {
public:
    /// What is asked from now on. `bytes` must stay where they are until the run is over.
    void begin(std::span<const std::byte> bytes) { input_ = Input(bytes); }

    std::uint64_t next(engine::StreamKey key, engine::StreamKind kind, std::uint64_t from) override;
    std::uint32_t answer(engine::StreamKey key, engine::StreamKind kind, std::uint64_t ordinal,
                         std::uint32_t n) override;

private:
    Input input_{{}};
};

}  // namespace xenrig::fuzz
