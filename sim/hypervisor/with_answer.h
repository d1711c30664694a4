// A hypercall whose second argument points to its operation's struct: fetched whole, and given back whole if it answers
// in it, so that nothing of it is read twice (event_channel.c, physdev.c: copy_from_guest, __copy_to_guest).
#pragma once

#include "sim/hypervisor/call.h"

namespace xenrig::hypervisor {

/// Fetches the operation, lets `act` answer, and gives the struct back if all went well.
template <class Op, class Act>
std::int64_t with_answer(Call& call, Act act) {
    Op op;
    if (!call.fetch(op)) return -error(Errno::fault);
    const std::int64_t result = act(op);
    if (result != 0) return result;
    return call.put(op) ? 0 : -error(Errno::fault);
}

/// The same for one that answers by its result alone.
template <class Op, class Act>
std::int64_t without_answer(Call& call, Act act) {
    Op op;
    if (!call.fetch(op)) return -error(Errno::fault);
    return act(op);
}

}  // namespace xenrig::hypervisor
