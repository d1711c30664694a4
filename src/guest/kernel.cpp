#include "xenrig/guest/kernel.h"

#include <mutex>

#include "xenrig/abi/check.h"
#include "xenrig/guest/pv_discovery.h"
#include "xenrig/platform/cpu.h"

extern "C" {
#include <xen/sched.h>
#include <xen/xen.h>
}

namespace xenrig::guest {

namespace {

/// Where xenstored runs unless it has a domain of its own.
constexpr DomId kStoreDomain{0};

/// Of a 32-bit guest's RAM, its last frames hold the arguments of hypercalls.
constexpr std::uint64_t kArgumentFrames = 8;

GfnRange arguments(GfnRange ram, const KernelOptions& options) {
    if (options.bits == 64) return {};
    check(options.bits == 32 && ram.count > kArgumentFrames, "a guest's word has 32 or 64 bits, and its RAM has room");
    return {Gfn{ram.first.value + ram.count - kArgumentFrames}, kArgumentFrames};
}

GfnRange without_arguments(GfnRange ram, const KernelOptions& options) {
    return {ram.first, ram.count - arguments(ram, options).count};
}

std::unique_ptr<Discovery> discovery(DomainLink& link, GuestMemory& memory, GfnPool& unpopulated, const Layout& layout,
                                     const KernelOptions& options) {
    if (!layout.pv) return std::make_unique<HvmDiscovery>(link, unpopulated, options.callback);
    return std::make_unique<PvDiscovery>(link, memory, unpopulated, *layout.pv, layout.unpopulated);
}

}  // namespace

Kernel::Kernel(std::string name, Machine& machine, std::vector<Cpu*> cpus, Layout layout, const KernelOptions& options)
    : name_(std::move(name)),
      link_(std::move(cpus), arguments(layout.ram, options)),
      ram_(layout.ram),
      unpopulated_(layout.unpopulated),
      memory_(link_, without_arguments(layout.ram, options)),
      clock_(link_, machine),
      discovery_(discovery(link_, memory_, unpopulated_, layout, options)),
      events_(link_, memory_, *discovery_, clock_),
      grants_(link_, memory_, *discovery_, unpopulated_, clock_),
      store_(link_, memory_, events_),
      control_(*this) {
    for (Cpu* cpu : link_.cpus()) cpu->pause();
}

Kernel::~Kernel() {
    // What the services still hold of the domain goes without a hypercall, as in a domain that crashed.
    if (link_.alive()) domain_died();
}

void Kernel::bind(const Binding& binding) {
    const bool first = link_.epoch() == 0;
    grants_.end_epoch(shared::LeaseEnd::epoch_over);
    events_.end_epoch();
    memory_.end_epoch(shared::LeaseEnd::epoch_over);
    link_.bind(binding);
    memory_.moved();
    if (!first) return;
    for (Cpu* cpu : link_.cpus()) cpu->unpause();
}

void Kernel::domain_died() {
    link_.end_epoch();
    grants_.end_epoch(shared::LeaseEnd::domain_dead);
    events_.end_epoch();
    memory_.end_epoch(shared::LeaseEnd::domain_dead);
    clock_.stop();
}

Result<> Kernel::start_core() {
    check(link_.vcpu().value == 0, "a guest boots on vCPU 0");
    if (link_.start_info() != 0 && !link_.is_pv()) {
        auto start = read_hvm_start(memory_, link_.start_info());
        if (!start) return std::unexpected(start.error());
        if (!start->has_ram(ram_)) return fail(Errno::inval, "hvm_start_info: its map does not have the guest's RAM");
        hvm_start_ = std::move(*start);
    }
    const std::lock_guard no_events(events_.lock());
    const std::lock_guard no_grants(grants_.lock());
    Result<> started = start_services();
    has_core_ = started.has_value();
    return started;
}

Result<> Kernel::boot() {
    if (!has_core_) {
        if (auto started = start_core(); !started) return started;
    }
    const auto ring = discovery_->store();
    if (!ring && ring.error().code == Errno::noent) return {};
    if (!ring) return std::unexpected(ring.error());
    has_store_ = true;
    grants_.grant_store(kStoreDomain, ring->gfn);
    if (auto connected = store_.connect(*ring); !connected) return connected;
    spawn_on(VcpuId{0}, name_ + ".xenstore", TaskRole::service, [this] { store_.serve_ring(); });
    spawn_on(VcpuId{0}, name_ + ".xenwatch", TaskRole::service, [this] { store_.serve_watches(); });
    return control_.start();
}

Result<> Kernel::start_services() {
    if (auto started = events_.start(); !started) return started;
    return grants_.start();
}

Result<std::int64_t> Kernel::shut_down(unsigned reason, std::uint64_t with) {
    sched_shutdown_t shutdown{reason};
    const std::int64_t answer = link_.call(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &shutdown, with);
    if (answer < 0) return std::unexpected(hypercall_error(answer, "SCHEDOP_shutdown"));
    return answer;
}

Result<> Kernel::enter_suspend() {
    check(link_.vcpu().value == 0, "a guest suspends on vCPU 0");
    Result<> started;
    {
        const std::lock_guard no_events(events_.lock());
        const std::lock_guard no_grants(grants_.lock());
        Result<std::int64_t> answer;
        {
            const std::lock_guard no_memory(memory_.lock());
            memory_.mark_shared_dirty();
            const std::uint64_t with = discovery_->leave();
            answer = shut_down(SHUTDOWN_suspend, with);
            if (answer.value_or(1) != 0) discovery_->stay();
        }
        if (!answer) return std::unexpected(answer.error());
        if (*answer != 0) return {};
        started = start_services();
    }
    events_.bury();
    grants_.bury();
    return started;
}

Task& Kernel::spawn(std::string name, TaskRole role, std::function<void()> body) {
    const std::uint32_t turn = next_vcpu_.fetch_add(1, std::memory_order_relaxed);
    const VcpuId vcpu{turn % static_cast<std::uint32_t>(link_.cpus().size())};
    return spawn_on(vcpu, std::move(name), role, std::move(body));
}

Task& Kernel::spawn_on(VcpuId vcpu, std::string name, TaskRole role, std::function<void()> body) {
    return link_.cpus().at(vcpu.value)->spawn(std::move(name), role, std::move(body));
}

}  // namespace xenrig::guest
