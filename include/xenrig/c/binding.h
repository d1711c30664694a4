// The C++ side of the C interface: the tables of a xenrig_platform, on any Platform.
//
// What the C code makes (frames, grants, ports, locks) is kept here and ends here at the latest. So the binding
// outlives the subject's object, and is destroyed when no task of the subject's runs any more.
#pragma once

#include <memory>

#include "xenrig/c/platform.h"

namespace xenrig {
class Platform;
}

namespace xenrig::c {

class Home;

class Binding {
public:
    explicit Binding(Platform& platform);
    ~Binding();
    Binding(const Binding&) = delete;
    Binding& operator=(const Binding&) = delete;

    const xenrig_platform* get() const;

private:
    std::unique_ptr<Home> home_;
};

}  // namespace xenrig::c
