// A bare kernel's memory as its hypercalls see it: linear addresses of its own, and the width of its word.
#pragma once

#include <memory>
#include <utility>

#include "sim/hypervisor/guest_access.h"

namespace xenrig::hypercalls {

class KernelAccess final : public hypervisor::GuestAccess {
public:
    KernelAccess(std::unique_ptr<hypervisor::GuestAccess> linear, unsigned bits)
        : linear_(std::move(linear)), bits_(bits) {}

    unsigned bits() const override { return bits_; }
    [[nodiscard]] bool copy_from_guest(void* to, std::uint64_t from, std::size_t bytes) override {
        return linear_->copy_from_guest(to, from, bytes);
    }
    [[nodiscard]] bool copy_to_guest(std::uint64_t to, const void* from, std::size_t bytes) override {
        return linear_->copy_to_guest(to, from, bytes);
    }

private:
    std::unique_ptr<hypervisor::GuestAccess> linear_;
    unsigned bits_;
};

}  // namespace xenrig::hypercalls
