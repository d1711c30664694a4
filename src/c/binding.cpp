#include "xenrig/c/binding.h"

#include "home.h"

namespace xenrig::c {

Home::Home(Platform& platform)
    : xenrig_platform{.size = sizeof(xenrig_platform),
                      .abi = XENRIG_C_ABI,
                      .memory = &memory_calls,
                      .grants = &grant_calls,
                      .events = &event_calls,
                      .store = &store_calls,
                      .tasks = &task_calls},
      platform_(platform) {}

Home::~Home() {
    while (!handles_.empty()) handles_.erase(std::prev(handles_.end()));
}

void Home::drop(Handle& handle) {
    std::unique_ptr<Handle> last;  // ends after the lock is free
    const std::lock_guard held(lock_);
    const auto found = handles_.find(handle.number_);
    check(found != handles_.end(), "a handle of the C interface is let go of once");
    last = std::move(found->second);
    handles_.erase(found);
}

Binding::Binding(Platform& platform) : home_(std::make_unique<Home>(platform)) {}
Binding::~Binding() = default;
const xenrig_platform* Binding::get() const { return home_.get(); }

}  // namespace xenrig::c
