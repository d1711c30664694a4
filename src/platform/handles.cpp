#include "xenrig/platform/grants.h"
#include "xenrig/platform/memory.h"

namespace xenrig {

Grant& Grant::operator=(Grant&& other) noexcept {
    if (this != &other) {
        reset();
        owner_ = std::exchange(other.owner_, nullptr);
        ref_ = other.ref_;
        epoch_ = other.epoch_;
    }
    return *this;
}

void Grant::reset() { reset(nullptr); }

void Grant::reset(FramePtr frame) {
    if (auto* owner = std::exchange(owner_, nullptr)) owner->end_grant(ref_, epoch_, std::move(frame));
}

Mapping::Mapping(Mapping&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      handles_(std::move(other.handles_)),
      window_(std::move(other.window_)),
      epoch_(other.epoch_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    if (this != &other) {
        reset();
        owner_ = std::exchange(other.owner_, nullptr);
        handles_ = std::move(other.handles_);
        window_ = std::move(other.window_);
        epoch_ = other.epoch_;
    }
    return *this;
}

void Mapping::reset() {
    if (auto* owner = std::exchange(owner_, nullptr)) owner->unmap(handles_, window_, epoch_);
}

}  // namespace xenrig
