#include "sim/world/driver_domain.h"

#include "xenrig/abi/check.h"
#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/platform/machine.h"

namespace xenrig::world {

DriverDomain::DriverDomain(Machine& machine, toolstack::DomainSpec spec, blk::StorageFactory storage,
                           BlockFeatures features)
    : machine_(machine), spec_(std::move(spec)), storage_(std::move(storage)), features_(std::move(features)) {
    for (unsigned v = 0; v < spec_.vcpus; ++v) cpus_.push_back(&machine.add_cpu(spec_.name + ".v" + std::to_string(v)));
    kernel_ = std::make_unique<guest::Kernel>(spec_.name, machine, cpus_, toolstack::MemoryPlan{spec_.frames}.layout(),
                                              guest::KernelOptions{.bits = spec_.bits});
    kernel_->spawn_on(VcpuId{0}, spec_.name + ".boot", TaskRole::work, [this] { boot(); });
}

DriverDomain::~DriverDomain() {
    kill();
    backends_.reset();
    kernel_.reset();
    for (Cpu* cpu : cpus_) machine_.remove_cpu(*cpu);
}

Result<> DriverDomain::start(toolstack::Toolstack& tools) {
    const auto domain = tools.build(spec_);
    if (!domain) return std::unexpected(domain.error());
    toolstack::Host& host = tools.host();
    kernel_->bind(host.attach(*domain, cpus_));
    host_ = &host;
    domain_ = *domain;
    return host.xen().unpause(*domain);
}

void DriverDomain::kill() {
    if (dead_) return;
    dead_ = true;
    for (Cpu* cpu : cpus_) cpu->freeze();
    kernel_->domain_died();
    for (Cpu* cpu : cpus_) cpu->kill();
    if (host_)
        for (unsigned v = 0; v < spec_.vcpus; ++v) host_->xen().detach_vcpu(domain_, VcpuId{v});
}

void DriverDomain::boot() {
    if (!kernel_->boot()) return check(dead_, "a driver domain boots on a domain of the toolstack's making");
    backends_ = std::make_unique<xenbus::Bus>(
        *kernel_, std::map<std::string, xenbus::BackendFactory>{{"vbd", features_.backends(*kernel_, storage_)}});
    if (!backends_->start()) check(dead_, "a driver domain may watch its own backends");
}

}  // namespace xenrig::world
