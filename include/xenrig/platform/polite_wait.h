// Waiting in a destructor for what another task or vCPU still does.
//
// Ordinarily a wait like any other. When the domain died and its tasks are being unwound, each gets its turn a bounded
// number of times, since a vCPU that is unwound later can't be waited for (Scheduler::defer_unwinding()).
#pragma once

#include "xenrig/platform/scheduler.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig {

template <class L, class Condition>
void polite_wait(WaitQueue& queue, L& lock, Condition condition) {
    struct Deferred {
        Deferred() { scheduler->defer_unwinding(true); }
        ~Deferred() { scheduler->defer_unwinding(false); }
    } const deferred;
    int turns_left = 8;
    queue.wait(lock, [&] { return condition() || (scheduler->unwinding() && --turns_left < 0); });
}

}  // namespace xenrig
