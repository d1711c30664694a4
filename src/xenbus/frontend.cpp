#include "xenrig/xenbus/frontend.h"

#include <utility>

namespace xenrig::xenbus {

Result<> Frontend::begin() {
    why_closed_ = Error{Errno::nodev, "the backend closed the device"};
    if (device_.state() == State::initialising) return {};
    return device_.move_to(State::initialising);
}

Result<> Frontend::step() {
    const State backend = device_.peer_state();
    const State own = device_.state();
    if (own == State::closing || own == State::closed) return close(backend);

    switch (backend) {
        case State::init_wait:
        case State::initialised:
            return own == State::initialising ? open() : Result<>{};

        case State::connected:
            if (own == State::initialising)
                if (auto opened = open(); !opened) return opened;
            if (device_.state() == State::initialised) {
                read_at_look_ = device_.looks();
                if (auto connected = driver_.connect(device_); !connected) return connected;
                return device_.move_to(State::connected);
            }
            if (std::exchange(read_at_look_, device_.looks()) == device_.looks()) return {};
            return driver_.backend_changed(device_);

        case State::closed:
            if (own == State::initialising) return {};
            [[fallthrough]];
        case State::closing:
            if (auto moved = device_.move_to(State::closing); !moved) return moved;
            return close(backend);

        case State::unknown:
        case State::initialising:
        case State::reconfiguring:
        case State::reconfigured:
            return {};
    }
    return {};
}

Result<> Frontend::open() {
    if (auto allocated = driver_.allocate(device_); !allocated) return allocated;
    return device_.move_to(State::initialised, [&](StoreTx tx) { return driver_.publish(device_, tx); });
}

Result<> Frontend::close(State backend) {
    if (device_.state() == State::closed) return {};
    const bool nobody_answers = backend == State::closed || backend == State::unknown;
    if (!driver_.quiesce() && !nobody_answers) return {};
    driver_.disconnect(why_closed_);
    return device_.move_to(State::closed);
}

void Frontend::failed(const Error& why) {
    why_closed_ = why;
    driver_.disconnect(why);
    device_.write_error(why);
    if (device_.state() != State::closing && device_.state() != State::closed) (void)device_.move_to(State::closing);
}

void Frontend::gone(const Error& why) { driver_.disconnect(why); }

}  // namespace xenrig::xenbus
