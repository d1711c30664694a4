// A domain that serves disks to other guests of its host: a kernel and a bus of backends, nothing else.
//
// It may be destroyed at any moment, as a driver domain that crashed. What it held is then the hypervisor's to give
// back; the object stays until the end of the world, for storage may still hold what was mapped into it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/toolstack/toolstack.h"
#include "sim/world/block_features.h"
#include "xenrig/drivers/blk/storage.h"
#include "xenrig/guest/kernel.h"
#include "xenrig/xenbus/bus.h"

namespace xenrig::world {

class DriverDomain {
public:
    DriverDomain(Machine& machine, toolstack::DomainSpec spec, blk::StorageFactory storage, BlockFeatures features);
    ~DriverDomain();
    DriverDomain(const DriverDomain&) = delete;
    DriverDomain& operator=(const DriverDomain&) = delete;

    /// A job of the toolstack's: builds it, and lets it run.
    Result<> start(toolstack::Toolstack& tools);
    DomId domain() const { return domain_; }

    /// Without a goodbye: the epoch ends, the tasks unwind. From outside any task; whatever a task of another domain's
    /// was doing with the objects, it goes on with them.
    void kill();

private:
    void boot();

    Machine& machine_;
    toolstack::DomainSpec spec_;
    blk::StorageFactory storage_;
    BlockFeatures features_;
    std::vector<Cpu*> cpus_;
    std::unique_ptr<guest::Kernel> kernel_;
    std::unique_ptr<xenbus::Bus> backends_;
    toolstack::Host* host_ = nullptr;
    DomId domain_{};
    bool dead_ = false;
};

}  // namespace xenrig::world
