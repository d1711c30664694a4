// The platform of a process on a real Xen: drivers written for the simulator serve real domains from dom0 or a driver
// domain, unchanged.
//
// Store, events and grants are libxenstore's, libxenevtchn's and libxengnttab's; tasks run on a few vCPUs that are OS
// threads (sim/threads). What is missing is said by an error, with what to do. A frontend would need pages of its own
// that it can grant: grants() answers ENOSYS to that.
//
// A domain's death is no end of an epoch here: the peer's pages stay mapped until the backend lets go of them.
//
// Threads: opened and ended by one thread, which is no task. Before the end, whatever uses the platform is stopped.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "xenrig/platform/platform.h"

namespace xenrig {
class Scheduler;
}

namespace xenrig::host {

struct HostOptions {
    unsigned vcpus = 2;
};

/// What a process holds of other domains: for leak checks, and for reports.
struct Held {
    std::size_t ports = 0;
    std::size_t pages = 0;
    std::size_t watches = 0;
};

class HostPlatform final : public Platform {
public:
    /// ENOENT, EACCES or ECONNREFUSED that say what to do: load a module, be root, start xenstored.
    static Result<std::unique_ptr<HostPlatform>> open(const HostOptions& options = {});
    ~HostPlatform() override;

    Grants& grants() override;
    Events& events() override;
    Store& store() override;
    Memory& memory() override;
    Clock& clock() override;
    Task& spawn(std::string name, TaskRole role, std::function<void()> body) override;

    /// What a thread of somebody else's sets as its `scheduler` before it calls a driver: storage that completes there.
    Scheduler& outside();

    Held held() const;
    /// What each task does right now, a line for each.
    std::string state() const;

private:
    struct Parts;
    explicit HostPlatform(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace xenrig::host
