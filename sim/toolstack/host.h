// One physical machine of a world: its hypervisor, its control domain, and xenstored in it.
//
// The control domain is a guest like any other, with the same kernel services; what makes it one is its privilege. Its
// vCPU 0 runs the kernel and the store's service, the last one the toolstack's jobs, and both the backends.
#pragma once

#include <memory>
#include <string>

#include "sim/hypervisor/hypervisor.h"
#include "sim/toolstack/store_service.h"
#include "xenrig/guest/kernel.h"

namespace xenrig::toolstack {

struct HostOptions {
    std::string name = "a";
    /// Position among the world's hosts: shifts every number that a domain could carry from one to another by mistake.
    unsigned index = 0;
    std::uint64_t frames = 1 << 14;
    unsigned control_vcpus = 2;
    std::uint64_t control_frames = 512;
    /// Physical processors for all its vCPUs; 0: as many as those.
    unsigned cpus = 0;
};

/// Where the parts of a guest's memory of `frames` frames lie; the toolstack's ring pages are the last two.
struct MemoryPlan {
    explicit MemoryPlan(std::uint64_t guest_frames, bool of_pvh = false) : frames(guest_frames), pvh(of_pvh) {}
    std::uint64_t frames;
    bool pvh;
    /// A PVH guest's hvm_start_info, in its RAM; it may take the page once it has read it.
    Gfn start_info() const { return Gfn{frames - 3}; }
    Gfn console() const { return Gfn{frames - 2}; }
    Gfn store() const { return Gfn{frames - 1}; }
    guest::Layout layout() const;
};

class Host {
public:
    Host(Machine& machine, const HostOptions& options);
    ~Host();
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    const std::string& name() const { return options_.name; }
    unsigned index() const { return options_.index; }
    Machine& machine() { return machine_; }
    hypervisor::Hypervisor& xen() { return xen_; }
    guest::Kernel& control() { return *control_; }
    StoreService& store() { return *store_; }
    /// What ties a guest's kernel to a domain here, but for what PV guests need beside (bind.h); its vCPUs are run by
    /// these from now on.
    guest::Binding attach(DomId domain, const std::vector<Cpu*>& cpus);
    /// True once the control domain's kernel and store are up.
    bool booted() const { return booted_; }

    /// A hypercall of the control domain's, on the vCPU of it whose task calls; for a task of another host, which moves
    /// a guest here, on vCPU 0.
    template <class... A>
    std::int64_t hypercall(unsigned number, A... args) {
        static_assert(sizeof...(A) <= 5, "Xen's hypercalls take at most five arguments");
        return hypercall(number, HypercallArgs{hypercall_arg(args)...});
    }
    std::int64_t hypercall(unsigned number, const HypercallArgs& args);
    /// Runs a job of the toolstack's in a task of the control domain.
    Task& spawn_job(std::string name, std::function<void()> body);
    /// The vCPU that jobs run on.
    Cpu& job_cpu() { return *cpus_.back(); }
    /// The control domain's.
    const std::vector<Cpu*>& cpus() const { return cpus_; }

    /// As when the power goes: the control domain's epoch ends and its tasks unwind. Its objects stay until the end.
    void stop();

    /// The first port of domains made here: those of other hosts are reserved.
    Port first_port() const { return Port{8 + 16 * options_.index}; }

private:
    void boot();

    Machine& machine_;
    HostOptions options_;
    hypervisor::Hypervisor xen_;
    std::vector<Cpu*> cpus_;
    std::unique_ptr<guest::Kernel> control_;
    std::unique_ptr<StoreService> store_;
    Channel domain_exception_;
    Port own_store_port_{};
    bool booted_ = false;
};

}  // namespace xenrig::toolstack
