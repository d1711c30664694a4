#include "sim/toolstack/host.h"

#include <algorithm>

#include "xenrig/abi/check.h"
#include "xenrig/platform/machine.h"
#include "xenrig/platform/scheduler.h"

extern "C" {
// xen.h first: the others lean on its types.
#include <xen/xen.h>

#include <xen/hvm/params.h>
}

namespace xenrig::toolstack {

namespace {

/// Far above any RAM.
constexpr Gfn kUnpopulated{0x100000};
constexpr std::uint64_t kUnpopulatedFrames = 8192;

template <class T>
T must(Result<T> result, const char* what) {
    check(result.has_value(), what);
    return *std::move(result);
}

void must(const Result<>& result, const char* what) { check(result.has_value(), what); }

}  // namespace

guest::Layout MemoryPlan::layout() const {
    return {{Gfn{0}, frames - (pvh ? 3 : 2)}, {kUnpopulated, kUnpopulatedFrames}};
}

Host::Host(Machine& machine, const HostOptions& options)
    : machine_(machine),
      options_(options),
      xen_(machine, {.name = options.name,
                     .frames = options.frames,
                     .first_mfn = Mfn{0x1000 + 0x100000ull * options.index},
                     .first_domid = DomId{static_cast<std::uint16_t>(1 + 10 * options.index)},
                     .first_handle = GrantHandle{16 * options.index},
                     .cpus = options.cpus}) {
    const MemoryPlan plan{options.control_frames};
    const DomId self = must(xen_.create_domain({.name = "Domain-0",
                                                .vcpus = options.control_vcpus,
                                                .max_frames = options.control_frames,
                                                .privileged = true,
                                                .first_port = first_port()}),
                            "a new host has room for its control domain");
    must(xen_.populate(self, Gfn{0}, options.control_frames), "a new host has memory for its control domain");
    own_store_port_ = must(xen_.alloc_unbound(self, self), "a new domain has a free port");
    must(xen_.set_param(self, HVM_PARAM_STORE_PFN, plan.store().value), "the store's page is a parameter");
    must(xen_.set_param(self, HVM_PARAM_STORE_EVTCHN, own_store_port_.value), "the store's port is a parameter");

    for (unsigned v = 0; v < options.control_vcpus; ++v)
        cpus_.push_back(&machine.add_cpu(options.name + ".d0v" + std::to_string(v)));
    const guest::Binding binding = attach(self, cpus_);
    control_ = std::make_unique<guest::Kernel>(options.name + ".dom0", machine, cpus_, plan.layout());
    control_->bind(binding);
    store_ = std::make_unique<StoreService>(*control_, xen_, self);
    control_->spawn_on(VcpuId{0}, options.name + ".boot", TaskRole::work, [this] { boot(); });
    must(xen_.unpause(self), "a new domain is paused once");
}

Host::~Host() {
    stop();
    domain_exception_ = {};
    store_.reset();
    control_.reset();
    for (unsigned v = 0; v < cpus_.size(); ++v) xen_.detach_vcpu(DomId{0}, VcpuId{v});
    for (Cpu* cpu : cpus_) machine_.remove_cpu(*cpu);
}

guest::Binding Host::attach(DomId domain, const std::vector<Cpu*>& cpus) {
    const hypervisor::DomainInfo info = must(xen_.info(domain), "a guest is tied to a domain that is there");
    const bool narrow = info.bits == 32 && info.type != hypervisor::GuestType::pv;
    guest::Binding binding{{}, &xen_.address_space(domain), domain};
    for (unsigned v = 0; v < cpus.size(); ++v) {
        xen_.attach_vcpu(domain, VcpuId{v}, *cpus[v]);
        // A register of 32 bits can't hold an address of this process.
        binding.interrupts.push_back(&xen_.interrupts(domain, VcpuId{v}));
        binding.vcpus.push_back(narrow ? &xen_.linear_hypercalls(domain, VcpuId{v})
                                       : &xen_.hypercalls(domain, VcpuId{v}));
    }
    return binding;
}

void Host::stop() {
    for (Cpu* cpu : cpus_) cpu->freeze();
    control_->domain_died();
    for (Cpu* cpu : cpus_) cpu->kill();
}

std::int64_t Host::hypercall(unsigned number, const HypercallArgs& args) {
    const auto here = std::ranges::find(cpus_, scheduler ? scheduler->current_cpu() : nullptr);
    const VcpuId vcpu{here == cpus_.end() ? 0 : static_cast<std::uint32_t>(here - cpus_.begin())};
    return xen_.hypercalls(control_->domid(), vcpu).call(number, args);
}

Task& Host::spawn_job(std::string name, std::function<void()> body) {
    return job_cpu().spawn(options_.name + "." + name, TaskRole::work, std::move(body));
}

void Host::boot() {
    must(control_->start_core(), "the control domain maps its shared pages");
    domain_exception_ = must(control_->events().bind_virq(VIRQ_DOM_EXC, [this] { store_->domain_exception(); }),
                             "the control domain may bind VIRQ_DOM_EXC");
    must(store_->start(own_store_port_), "xenstored reaches its own domain's ring");
    must(control_->boot(), "the control domain's store answers");
    booted_ = true;
}

}  // namespace xenrig::toolstack
