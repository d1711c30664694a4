// Time as a driver sees it: monotonic, and one-shot timers whose handlers run like upcalls and never block.
#pragma once

#include <functional>

#include "xenrig/abi/types.h"
#include "xenrig/platform/machine.h"

namespace xenrig {

class Clock {
public:
    virtual ~Clock() = default;
    virtual Nanoseconds now() = 0;
    virtual TimerId at(Nanoseconds deadline, std::function<void()> fire) = 0;
    /// False when it has fired already.
    virtual bool cancel(TimerId) = 0;
};

}  // namespace xenrig
