// Where one end of a device stands in its life (io/xenbus.h), as the number in its `state` node.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace xenrig::xenbus {

enum class State : std::uint8_t {
    /// No state node, or nothing in it that is a state.
    unknown = 0,
    initialising = 1,
    /// Early initialisation is done; waits for the peer's nodes, or for hotplug scripts.
    init_wait = 2,
    /// Own nodes are published; waits for the peer to connect.
    initialised = 3,
    connected = 4,
    closing = 5,
    closed = 6,
    reconfiguring = 7,
    reconfigured = 8,
};

/// "XenbusStateInitWait", as the header spells it.
const char* name(State s);

/// unknown for everything but a decimal number from 0 to 8.
State parse_state(std::string_view node);

/// The node's text: "4".
std::string to_node(State s);

}  // namespace xenrig::xenbus
