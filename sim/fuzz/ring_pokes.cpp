#include "sim/fuzz/ring_pokes.h"

#include "sim/fuzz/late_writes.h"
#include "sim/fuzz/peer_values.h"
#include "xenrig/shared/door.h"

namespace xenrig::fuzz {

std::optional<Poke> read_poke(Input& input, std::size_t unit, std::size_t length) {
    Poke made;
    made.offset = input.byte() * unit % length;
    made.width = 1u << (input.byte() & 3U);
    made.value = any_number(input);
    if (made.offset + made.width > length) return std::nullopt;
    return made;
}

void poke(const shared::Window& window, std::size_t at, const Poke& poke, LateWrites* late) {
    if (late) return late->add(window, at + poke.offset, poke.value, poke.width);
    shared::copy_in(window, at + poke.offset, &poke.value, poke.width);
}

void poke_index(const shared::Window& window, Input& input) {
    const std::uint8_t which = input.byte();
    const std::size_t at = (which & 3U) * sizeof(std::uint32_t);
    if ((which & 4U) != 0) {
        const auto value = static_cast<std::uint32_t>(any_number(input));
        if (window) shared::store<std::uint32_t>(window, at, value);
        return;
    }
    // A byte with its sign: -128 to 127.
    const std::uint32_t by = (input.byte() ^ 0x80U) - 0x80U;
    if (!window) return;
    const std::uint32_t now = shared::load<std::uint32_t>(window, at, shared::Fetch::poll);
    shared::store<std::uint32_t>(window, at, now + by);
}

void publish_index(const shared::Window& window, std::size_t index, std::uint32_t value) {
    if (!window) return;
    shared::wmb();
    shared::store<std::uint32_t>(window, index, value);
}

void storm(Channel& channel, const std::function<void()>& step_aside, unsigned times) {
    for (; times != 0; --times) {
        (void)channel.notify();
        step_aside();
    }
}

}  // namespace xenrig::fuzz
