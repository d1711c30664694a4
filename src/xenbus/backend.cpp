#include "xenrig/xenbus/backend.h"

#include "xenrig/xenbus/nodes.h"

namespace xenrig::xenbus {

Result<> Backend::begin() {
    const State own = device_.state();
    if (own == State::closing || own == State::closed) return {};
    return offer();
}

Result<> Backend::step() {
    const State frontend = device_.peer_state();
    const State own = device_.state();

    switch (frontend) {
        case State::initialising:
            if (own == State::connected) {
                driver_.disconnect();
                return offer();
            }
            return own == State::closed && online() ? offer() : Result<>{};

        case State::initialised:
        case State::connected:
            if (own == State::connected) return refresh();
            return own == State::init_wait || own == State::initialised ? connect() : Result<>{};

        case State::closing:
            if (own == State::closing || own == State::closed) return {};
            return device_.move_to(State::closing);

        case State::closed:
        case State::unknown:
            return closed(frontend);

        case State::init_wait:
        case State::reconfiguring:
        case State::reconfigured:
            return {};
    }
    return {};
}

Result<> Backend::offer() {
    if (auto opened = driver_.open(device_); !opened) return opened;
    return device_.move_to(State::init_wait, [&](StoreTx tx) { return driver_.advertise(device_, tx); });
}

Result<> Backend::connect() {
    // What an earlier connection may have left must not add to this one.
    driver_.disconnect();
    if (auto connected = driver_.connect(device_); !connected) return connected;
    return device_.move_to(State::connected, [&](StoreTx tx) { return driver_.publish(device_, tx); });
}

Result<> Backend::refresh() {
    const auto news = driver_.refresh(device_);
    if (!news) return std::unexpected(news.error());
    if (!*news) return {};
    return device_.move_to(State::connected, [&](StoreTx tx) { return driver_.publish(device_, tx); });
}

Result<> Backend::closed(State frontend) {
    driver_.disconnect();
    if (frontend == State::unknown || !online()) driver_.close();
    return device_.state() == State::closed ? Result<>{} : device_.move_to(State::closed);
}

bool Backend::online() const { return read_feature(device_.store(), device_.node("online")); }

void Backend::failed(const Error& why) {
    device_.write_error(why);
    if (device_.state() != State::closing && device_.state() != State::closed) (void)device_.move_to(State::closing);
    driver_.disconnect();
}

void Backend::gone(const Error&) { driver_.close(); }

}  // namespace xenrig::xenbus
