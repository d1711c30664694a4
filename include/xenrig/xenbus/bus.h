// Finds the devices that the toolstack gave this domain, and takes them away when it does (hot-plug).
//
// A bus is one side: it watches `device` for frontends, or `backend/<type>` for backends. On each event it lists what
// is there and compares: a directory that is gone, or that names another peer, ends its device; a new one begins one.
//
// Threads: start(), suspend(), cancel_suspend(), resume() and stop() from one task.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "xenrig/xenbus/backend.h"
#include "xenrig/xenbus/device.h"
#include "xenrig/xenbus/frontend.h"

namespace xenrig::xenbus {

/// Makes the driver of a device that appeared. `path` is its directory: "device/vbd/51712". Runs in the bus's task; who
/// wants to know of devices learns it here.
using FrontendFactory = std::function<std::shared_ptr<FrontendDriver>(const std::string& path, DeviceLink link)>;
using BackendFactory = std::function<std::shared_ptr<BackendDriver>(const std::string& path, DeviceLink link)>;

class Bus {
public:
    /// One factory for each type of device ("vbd"); other types are left alone.
    Bus(Platform& platform, std::map<std::string, FrontendFactory> frontends);
    Bus(Platform& platform, std::map<std::string, BackendFactory> backends);
    ~Bus();
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    /// Begins to watch. ENOSPC (the store's quota of watches) and the like are returned.
    Result<> start();

    /// Before the domain is suspended, with the store still answering: on return no device touches a shared page and
    /// none talks to the store.
    void suspend();
    /// The suspend did not happen.
    void cancel_suspend();
    /// Another epoch: the store, grants and events work again. Looks for the devices anew.
    void resume();

    /// Ends all devices. A task of this domain calls it before it destroys the bus.
    void stop();

private:
    struct Slot;
    Result<std::vector<std::string>> list() const;
    void scan();
    void add(const std::string& path, Peer peer);

    Platform& platform_;
    Side side_;
    std::map<std::string, FrontendFactory> frontends_;
    std::map<std::string, BackendFactory> backends_;
    std::map<std::string, std::unique_ptr<Slot>> devices_;
    std::vector<Watch> watches_;
    Service service_;
};

}  // namespace xenrig::xenbus
