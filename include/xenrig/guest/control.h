// What the toolstack asks of a guest through ~/control/shutdown: poweroff, reboot, halt, suspend
// (misc/xenstore-paths; the protocol itself is what Linux's and the toolstacks' code agree on).
//
// A request is acknowledged by emptying the node in the transaction that read it, and then carried out in the watch's
// task, so no other watch fires meanwhile. For a suspend every Suspendable is suspended in the order of registration,
// then the store, then the kernel; all come back in reverse.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "xenrig/abi/error.h"
#include "xenrig/platform/store.h"
#include "xenrig/platform/suspendable.h"

namespace xenrig::guest {

class Kernel;

class Control {
public:
    explicit Control(Kernel& kernel) : kernel_(kernel) {}

    /// Watches the node, and tells the toolstack what the guest can do (control/feature-*), if it wants to know.
    Result<> start();

    /// From a task, with no suspend under way. `device` must be removed before it ends.
    void add(Suspendable& device);
    void remove(Suspendable& device);

    enum class Outcome : std::uint8_t { resumed, cancelled };
    /// Suspends the guest; returns when it runs again. From a task on vCPU 0, in no transaction. The error of a device
    /// that would not, or of the new domain's store or grant table: then the guest lives on without it.
    Result<Outcome> suspend();

    /// SCHEDOP_shutdown. Doesn't return on a real hypervisor.
    void shut_down(unsigned reason);

    /// Suspends that were begun, whatever came of them.
    unsigned suspends() const { return suspends_; }

private:
    void on_watch();
    Result<std::string> take_command();
    Result<> resume_store(bool new_domain);

    Kernel& kernel_;
    Watch watch_;
    std::vector<Suspendable*> devices_;
    unsigned suspends_ = 0;
};

}  // namespace xenrig::guest
