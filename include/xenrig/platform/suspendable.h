// What must be told before its guest is suspended and after it goes on: a bus with its devices, a driver that stands
// alone.
//
// suspend() runs in a task while store, grants and events still work, and returns when nothing of it is under way that
// a new domain could not carry on; resume() runs when they work again.
#pragma once

#include <string_view>

#include "xenrig/abi/error.h"

namespace xenrig {

class Suspendable {
public:
    virtual ~Suspendable() = default;

    /// For reports.
    virtual std::string_view name() const = 0;
    /// An error calls the whole suspend off; those that were suspended before are resumed as cancelled.
    virtual Result<> suspend() = 0;
    /// `cancelled`: still in the old domain, all handles are good. Otherwise all of them are of an epoch that is over.
    virtual void resume(bool cancelled) = 0;
};

}  // namespace xenrig
