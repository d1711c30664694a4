#include "xenrig/xenbus/device.h"

#include <mutex>

namespace xenrig::xenbus {

struct DeviceLink::Noted {
    IrqLock lock{"xenbus.noted"};
    std::optional<Error> failure;

    std::optional<Error> take() {
        const std::lock_guard held(lock);
        return std::exchange(failure, std::nullopt);
    }
};

void DeviceLink::poke() const { poke_(); }

void DeviceLink::fail(Error why) const {
    if (!noted_) return;
    {
        const std::lock_guard held(noted_->lock);
        if (!noted_->failure) noted_->failure = std::move(why);
    }
    poke_();
}

Device::Device(Platform& platform, Side side, std::string path)
    : platform_(platform),
      endpoint_(platform.store(), side, path),
      service_(platform, "xenbus " + path, [this] { work(); }) {
    link_.noted_ = std::make_shared<DeviceLink::Noted>();
    link_.poke_ = service_.poker();
}

Device::~Device() {
    const DeferUnwinding defer;
    stop();
}

void Device::start(std::unique_ptr<Handshake> handshake) {
    handshake_ = std::move(handshake);
    service_.poke();
}

void Device::suspend() {
    service_.pause();
    handshake_->suspend();
}

void Device::cancel_suspend() {
    handshake_->cancel_suspend();
    service_.unpause();
    service_.poke();
}

void Device::resume() {
    handshake_->resume();
    link_.noted_->take();
    begun_ = false;
    service_.unpause();
    service_.poke();
}

void Device::stop() {
    if (stopped_) return;
    own_state_.reset();
    peer_state_.reset();
    service_.stop();
    if (handshake_) handshake_->gone({Errno::nodev, "the device was removed"});
    stopped_ = true;
}

Result<> Device::watch_states() {
    const auto look = [poke = service_.poker()](const std::string&) { poke(); };
    if (!own_state_) {
        auto watch = platform_.store().watch(endpoint_.node("state"), look);
        if (!watch) return fail(watch.error().code, "watching " + endpoint_.node("state"));
        own_state_ = std::move(*watch);
    }
    if (watched_peer_ != endpoint_.peer().path) {
        peer_state_.reset();
        auto watch = platform_.store().watch(endpoint_.peer_node("state"), look);
        if (!watch) return fail(watch.error().code, "watching " + endpoint_.peer_node("state"));
        peer_state_ = std::move(*watch);
        watched_peer_ = endpoint_.peer().path;
    }
    return {};
}

Result<> Device::begin() {
    if (auto found = endpoint_.begin(); !found) return found;
    if (auto watched = watch_states(); !watched) return watched;
    begun_ = true;
    return handshake_->begin();
}

void Device::work() {
    bool failed_here = false;
    for (;;) {
        const Result<> done = look_and_step();
        if (done) return;
        const Error& error = done.error();
        if (error.code == Errno::restart) {
            // Not our state node but our peer's name may have changed.
            if (begun_ && endpoint_.look() == Standing::ours) start_over("the device has another peer");
        } else if (!begun_) {
            // The bus ends a device whose nodes are not there, and makes it again when they are.
            if (error.code != Errno::noent) endpoint_.write_error(error);
            return;
        } else {
            handshake_->failed(error);
            if (std::exchange(failed_here, true)) return;
        }
    }
}

Result<> Device::look_and_step() {
    if (!begun_)
        if (auto begun = begin(); !begun) return begun;
    switch (endpoint_.look()) {
        case Standing::gone:
            start_over("the device was removed");
            return {};
        case Standing::replaced:
            start_over("the device was replaced");
            return fail(Errno::restart);
        case Standing::ours:
        case Standing::told_to_close:
            break;
    }
    if (auto failure = link_.noted_->take()) handshake_->failed(*failure);
    return handshake_->step();
}

void Device::start_over(const char* why) {
    handshake_->gone({Errno::nodev, why});
    begun_ = false;
}

}  // namespace xenrig::xenbus
