// A device on the bus: one service task that looks at both ends' states, decides afresh, and does the next step.
//
// Watches, upcalls and the driver only note and poke; all that takes time or may fail happens in the task. Nothing is
// remembered across an epoch or across a directory that was made anew.
//
// Lifetime: made and ended by its Bus. Threads: link() from any context, the rest from the bus's task.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "xenrig/platform/lock.h"
#include "xenrig/platform/platform.h"
#include "xenrig/xenbus/endpoint.h"
#include "xenrig/xenbus/service.h"

namespace xenrig::xenbus {

/// What a device does when it looks: the frontend's rule, or the backend's.
class Handshake {
public:
    virtual ~Handshake() = default;
    /// First look at a device, or at what has taken its place: from the beginning.
    virtual Result<> begin() = 0;
    /// Does whatever the two states ask for now. An error is fatal to the device, save ENOENT and EBUSY of
    /// Endpoint::move_to, which ask for another look.
    virtual Result<> step() = 0;
    /// The device can't go on: lets go of everything and starts closing.
    virtual void failed(const Error& why) = 0;
    /// The directory is no longer ours: lets go of everything and writes nothing.
    virtual void gone(const Error& why) = 0;
    virtual void suspend() = 0;
    virtual void cancel_suspend() = 0;
    virtual void resume() = 0;
};

/// How a driver speaks to its device, from any context, even when the device is gone.
class DeviceLink {
public:
    DeviceLink() = default;
    /// Look again: something that the handshake waits for has come about.
    void poke() const;
    /// The peer broke the protocol, or we can't go on: closes the device with this message. The first one counts.
    void fail(Error why) const;

private:
    friend class Device;
    struct Noted;
    std::shared_ptr<Noted> noted_;
    Service::Poke poke_;
};

class Device {
public:
    /// Looks for the first time when start() is called.
    Device(Platform& platform, Side side, std::string path);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    Endpoint& endpoint() { return endpoint_; }
    DeviceLink link() const { return link_; }

    /// `peer` is whom the bus has just found in the directory; `over` is poked when the directory is gone or was made
    /// anew.
    void start(std::unique_ptr<Handshake> handshake, Peer peer, Service::Poke over);
    /// The directory that it was made for is no more: all is given back, and nothing comes any more. Whoever stands
    /// there now is another device.
    bool over() const { return over_; }

    /// On return the task rests and the driver touches no shared page.
    void suspend();
    void cancel_suspend();
    void resume();

    /// The device is no more: on return everything is given back and nothing runs.
    void stop();

private:
    void work();
    Result<> look_and_step();
    Result<> begin();
    void start_over(const char* why);
    void end(const char* why);
    Result<> watch_states();

    Platform& platform_;
    Endpoint endpoint_;
    DeviceLink link_;
    std::unique_ptr<Handshake> handshake_;
    std::optional<Peer> found_;
    std::string watched_peer_;
    bool begun_ = false;
    std::atomic<bool> over_ = false;
    Service::Poke tell_over_;
    bool stopped_ = false;
    Service service_;
    Watch own_state_;
    Watch peer_state_;
};

}  // namespace xenrig::xenbus
