#include "xenrig/xenbus/state.h"

namespace xenrig::xenbus {

const char* name(State s) {
    switch (s) {
        case State::unknown:
            return "XenbusStateUnknown";
        case State::initialising:
            return "XenbusStateInitialising";
        case State::init_wait:
            return "XenbusStateInitWait";
        case State::initialised:
            return "XenbusStateInitialised";
        case State::connected:
            return "XenbusStateConnected";
        case State::closing:
            return "XenbusStateClosing";
        case State::closed:
            return "XenbusStateClosed";
        case State::reconfiguring:
            return "XenbusStateReconfiguring";
        case State::reconfigured:
            return "XenbusStateReconfigured";
    }
    return "XenbusStateUnknown";
}

State parse_state(std::string_view node) {
    if (node.size() != 1 || node[0] < '0' || node[0] > '8') return State::unknown;
    return static_cast<State>(node[0] - '0');
}

std::string to_node(State s) { return std::to_string(static_cast<unsigned>(s)); }

}  // namespace xenrig::xenbus
