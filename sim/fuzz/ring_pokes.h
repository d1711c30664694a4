// What either end of a ring can do to its shared pages by an input's bytes: the same acts for frontends and backends.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "sim/fuzz/input.h"
#include "xenrig/platform/platform.h"
#include "xenrig/shared/window.h"

namespace xenrig::fuzz {

class LateWrites;

/// The indices at the beginning of every ring: req_prod, req_event, rsp_prod, rsp_event.
inline constexpr std::size_t kRingHeader = 64;

/// One to eight bytes inside a stretch of a window: where, how many and what.
struct Poke {
    std::size_t offset = 0;
    unsigned width = 1;
    std::uint64_t value = 0;
};
/// `unit`: what the byte that chooses the offset counts in; the offset is below `length`. Nothing for one that would
/// reach beyond it.
std::optional<Poke> read_poke(Input& input, std::size_t unit, std::size_t length);

/// At `at` in the window; with `late` after the victim has next read it.
void poke(const shared::Window& window, std::size_t at, const Poke& poke, LateWrites* late);

/// One of the four indices, by a difference or to a number. The input is read whether or not there is a window.
void poke_index(const shared::Window& window, Input& input);

/// `index` becomes `value`, after all that was written before.
void publish_index(const shared::Window& window, std::size_t index, std::uint32_t value);

/// Events, with others running in between.
void storm(Channel& channel, const std::function<void()>& step_aside, unsigned times);

}  // namespace xenrig::fuzz
