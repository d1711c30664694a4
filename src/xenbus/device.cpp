#include "xenrig/xenbus/device.h"

#include <mutex>

namespace xenrig::xenbus {

/// What came in since the service last looked. A state node is read again only when its watch has fired.
struct DeviceLink::Noted {
    struct News {
        std::optional<Error> failure;
        bool own_state = false;
        bool peer_state = false;
    };

    IrqLock lock{"xenbus.noted"};
    News news;

    News take() {
        const std::lock_guard held(lock);
        return std::exchange(news, {});
    }
    void set(bool News::* which) {
        const std::lock_guard held(lock);
        news.*which = true;
    }
};

void DeviceLink::poke() const { poke_(); }

void DeviceLink::fail(Error why) const {
    if (!noted_) return;
    {
        const std::lock_guard held(noted_->lock);
        if (!noted_->news.failure) noted_->news.failure = std::move(why);
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

void Device::start(std::unique_ptr<Handshake> handshake, Peer peer, Service::Poke over) {
    handshake_ = std::move(handshake);
    tell_over_ = std::move(over);
    found_ = std::move(peer);
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
    // What the bus found before is the old backend.
    found_.reset();
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
    const auto note = [this](bool DeviceLink::Noted::News::* which) {
        return [noted = link_.noted_, poke = link_.poke_, which](const std::string&) {
            noted->set(which);
            poke();
        };
    };
    using News = DeviceLink::Noted::News;
    if (!own_state_) {
        auto watch = platform_.store().watch(endpoint_.node("state"), note(&News::own_state));
        if (!watch) return fail(watch.error().code, "watching " + endpoint_.node("state"));
        own_state_ = std::move(*watch);
    }
    if (watched_peer_ != endpoint_.peer().path) {
        peer_state_.reset();
        auto watch = platform_.store().watch(endpoint_.peer_node("state"), note(&News::peer_state));
        if (!watch) return fail(watch.error().code, "watching " + endpoint_.peer_node("state"));
        peer_state_ = std::move(*watch);
        watched_peer_ = endpoint_.peer().path;
    }
    return {};
}

Result<> Device::begin() {
    auto found = found_ ? endpoint_.begin(*std::exchange(found_, std::nullopt)) : endpoint_.begin();
    if (!found) return found;
    if (auto watched = watch_states(); !watched) return watched;
    endpoint_.look_at_peer();
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
    auto news = link_.noted_->take();
    if (over_) return {};
    if (!begun_)
        if (auto begun = begin(); !begun) return begun;
    if (news.peer_state) endpoint_.look_at_peer();
    switch (news.own_state ? endpoint_.look() : Standing::ours) {
        case Standing::gone:
            end("the device was removed");
            return {};
        case Standing::replaced:
            end("the device was replaced");
            return {};
        case Standing::ours:
        case Standing::told_to_close:
            break;
    }
    if (news.failure) handshake_->failed(*news.failure);
    return handshake_->step();
}

void Device::end(const char* why) {
    handshake_->gone({Errno::nodev, why});
    over_ = true;
    tell_over_();
}

void Device::start_over(const char* why) {
    handshake_->gone({Errno::nodev, why});
    begun_ = false;
}

}  // namespace xenrig::xenbus
