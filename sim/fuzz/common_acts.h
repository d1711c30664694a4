// What hostile frontends and backends do in the same way, whatever numbers their acts have.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sim/fuzz/input.h"
#include "sim/fuzz/ring_pokes.h"
#include "xenrig/platform/events.h"

namespace xenrig::fuzz {

/// Of a Peer with a ring: its Act, push() and poke_slot(). `channel` and `queue` are those of the ring that it acts on.
/// False when the act is the peer's own.
template <class Peer, class World, class Push, class PokeSlot>
bool act_in_common(typename Peer::Act act, Input& input, const World& world, Channel& channel, std::size_t& queue,
                   const Push& push, const PokeSlot& poke_slot) {
    using Act = typename Peer::Act;
    switch (act) {
        case Act::push:
            push(static_cast<std::int8_t>(input.byte()));
            return true;
        case Act::push_and_notify:
            push(0);
            (void)channel.notify();
            return true;
        case Act::notify:
            (void)channel.notify();
            return true;
        case Act::poke_slot:
        case Act::late_slot:
            poke_slot(input, act == Act::late_slot);
            return true;
        case Act::select_queue:
            queue = input.byte();
            return true;
        case Act::step_aside:
            for (unsigned n = 1 + (input.byte() & 15U); n != 0; --n) world.step_aside();
            return true;
        case Act::settle:
            world.settle();
            return true;
        case Act::storm:
            storm(channel, world.step_aside, input.byte() & 63U);
            return true;
        default:
            return false;
    }
}

}  // namespace xenrig::fuzz
