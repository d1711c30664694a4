// Where a script is answered: a fresh host with a bare kernel as its dom0; and for any other kind of kernel, the domain
// that this dom0 has built.
#pragma once

#include <memory>

#include "sim/hypercalls/bare_kernel.h"
#include "sim/hypercalls/kernel_kind.h"

namespace xenrig::hypercalls {

class StillMachine;

class Scene {
public:
    explicit Scene(const KernelKind& kind);
    ~Scene();

    hypervisor::Hypervisor& host() { return *host_; }
    /// Whose script it is.
    BareKernel& subject() { return built_ ? *built_ : *control_; }
    BareKernel& control() { return *control_; }
    bool has_two() const { return built_ != nullptr; }

private:
    std::unique_ptr<BareKernel> start(const KernelKind& kind, std::uint64_t frames);

    std::unique_ptr<StillMachine> machine_;
    std::unique_ptr<hypervisor::Hypervisor> host_;
    std::unique_ptr<BareKernel> control_, built_;
};

}  // namespace xenrig::hypercalls
