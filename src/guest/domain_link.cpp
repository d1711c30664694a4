#include "xenrig/guest/domain_link.h"

#include "narrow_calls.h"
#include "xenrig/abi/check.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::guest {

DomainLink::DomainLink(std::vector<Cpu*> cpus, GfnRange arguments) : cpus_(std::move(cpus)) {
    check(!cpus_.empty(), "a guest has at least one vCPU");
    if (arguments.count != 0) narrow_ = std::make_unique<NarrowCalls>(*this, arguments);
}

DomainLink::~DomainLink() = default;

void DomainLink::bind(const Binding& binding) {
    check(binding.vcpus.size() == cpus_.size() && binding.memory,
          "a domain has as many vCPUs as its guest, and memory");
    binding_ = binding;
    epoch_.fetch_add(1, std::memory_order_release);
    alive_.store(true, std::memory_order_release);
}

void DomainLink::end_epoch() {
    alive_.store(false, std::memory_order_release);
    epoch_.fetch_add(1, std::memory_order_release);
}

bool DomainLink::current(std::uint64_t epoch) {
    if (epoch == this->epoch()) return true;
    stale_.fetch_add(1, std::memory_order_relaxed);
    return false;
}

std::int64_t DomainLink::call(unsigned number, const HypercallArgs& args, const ArgumentBytes& bytes) {
    if (!alive()) {
        refused_.fetch_add(1, std::memory_order_relaxed);
        return -static_cast<std::int64_t>(Errno::srch);
    }
    Hypercalls& here = *binding_.vcpus[vcpu().value];
    return narrow_ ? narrow_->call(here, number, args, bytes) : here.call(number, args);
}

VcpuId DomainLink::vcpu() const {
    const Cpu* here = scheduler ? scheduler->current_cpu() : nullptr;
    for (std::uint32_t i = 0; i < cpus_.size(); ++i)
        if (cpus_[i] == here) return VcpuId{i};
    return VcpuId{0};
}

shared::LeasePtr DomainLink::make_lease(std::string name, bool writable, bool peer_writable) {
    auto lease = std::make_shared<shared::Lease>();
    lease->writable = writable;
    lease->peer_writable = peer_writable;
    lease->name = std::move(name);
    if (epoch() != 0 && !alive()) lease->end = shared::LeaseEnd::domain_dead;
    lease->id = std::uint32_t{domid().value} << 17 | (leases_.fetch_add(1, std::memory_order_relaxed) & 0x1ffff);
    return lease;
}

Error hypercall_error(std::int64_t answer, const std::string& what) {
    return Error{static_cast<Errno>(-answer), what + " failed"};
}

}  // namespace xenrig::guest
