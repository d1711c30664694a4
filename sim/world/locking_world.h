// One run of the locking experiment: a host with few processors, the guest whose tasks share a lock, and a neighbour.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/engine/engine.h"
#include "sim/engine/sources.h"
#include "sim/hypervisor/hypervisor.h"
#include "sim/world/guest_lock.h"
#include "xenrig/guest/kernel.h"
#include "xenrig/world/locking.h"

namespace xenrig::world {

struct LockingRun {
    LockKind kind{};
    unsigned processors = 1, vcpus = 1;
    /// The guest's; the neighbour has Xen's defaults.
    std::uint16_t weight = 256, cap = 0;
    /// Hundredths of a vCPU a processor: what is beyond `vcpus` is the neighbour's. A whole number of vCPUs, no less.
    unsigned overcommit = 100;
    Nanoseconds hold{}, outside{}, duration{};
    std::uint64_t seed = 0;
    LockCosts costs;
};

class LockingWorld {
public:
    explicit LockingWorld(const LockingRun& run);
    ~LockingWorld();
    LockingWorld(const LockingWorld&) = delete;
    LockingWorld& operator=(const LockingWorld&) = delete;

    /// Empty, or what went wrong.
    std::string run();
    /// Of `duration`, from when all of the neighbour's vCPUs compute.
    LockCounts counts() const;

private:
    struct Domain {
        std::string name;
        std::vector<Cpu*> cpus;
        DomId id;
        std::unique_ptr<guest::Kernel> kernel;
    };

    Domain make_domain(hypervisor::DomainConfig config);
    void boot();
    void work(unsigned vcpu);
    void end(Domain& domain);
    LockCounts count() const;

    LockingRun run_;
    engine::SeededSource source_;
    engine::Engine engine_;
    hypervisor::Hypervisor xen_;
    Domain guest_, neighbour_;
    GuestLock lock_;
    /// How to kick each vCPU, and the other ends, whose handlers run there.
    std::vector<Channel> kicks_, kicked_;
    std::uint32_t outside_stream_;
    bool over_ = false;
    std::uint64_t sections_ = 0;
    LockCounts before_, at_end_;
};

}  // namespace xenrig::world
