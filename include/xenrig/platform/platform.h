// All that a driver stands on. A driver never knows which platform it is: simulated guest, threads, or a real Xen.
#pragma once

#include <functional>
#include <string>

#include "xenrig/platform/clock.h"
#include "xenrig/platform/events.h"
#include "xenrig/platform/grants.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/memory.h"
#include "xenrig/platform/scheduler.h"
#include "xenrig/platform/store.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig {

class Platform {
public:
    virtual ~Platform() = default;
    virtual Grants& grants() = 0;
    virtual Events& events() = 0;
    virtual Store& store() = 0;
    virtual Memory& memory() = 0;
    virtual Clock& clock() = 0;
    /// A task on one of the guest's vCPUs; they take turns when none is named.
    virtual Task& spawn(std::string name, TaskRole role, std::function<void()> body) = 0;
};

}  // namespace xenrig
