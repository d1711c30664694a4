// The physical machine under the hypervisor, as far as a simulation needs one: processors to run vCPUs on, a clock,
// timers, and a lock for a hypervisor that real threads enter at the same time.
//
// The deterministic world and the threaded platform each are one. All hosts of a world stand on the same machine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "xenrig/abi/types.h"
#include "xenrig/platform/cpu.h"

namespace xenrig {

enum class TimerId : std::uint64_t {};

class Machine {
public:
    virtual ~Machine() = default;

    virtual Cpu& add_cpu(std::string name) = 0;
    /// Kills what runs there first.
    virtual void remove_cpu(Cpu& cpu) = 0;

    virtual Nanoseconds now() const = 0;
    /// Runs `fire` once, outside any vCPU, at or after `deadline`: it may kick and wake, and must not block.
    virtual TimerId at(Nanoseconds deadline, std::function<void()> fire) = 0;
    /// False when it has fired already.
    virtual bool cancel(TimerId) = 0;

    /// One at a time inside the hypervisor. Nothing to do in the deterministic world, where a hypercall is one step.
    virtual void enter_hypervisor() = 0;
    virtual void leave_hypervisor() = 0;

    /// What is decided by nobody: each source (a disk, a fault, a delay) draws under its own stream.
    /// Between 0, the mildest, and n - 1. The threaded platform answers 0.
    virtual std::uint32_t pick(std::uint32_t stream, std::uint32_t n) = 0;
    /// A stream of one's own for pick(); `name` is how tokens and traces call it ("disk.latency").
    virtual std::uint32_t add_stream(std::string name) = 0;

    /// What the trace, and so its hash, should know of: three numbers and a name from a fixed set.
    virtual void trace(const char* what, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) = 0;
};

/// enter_hypervisor() for a scope.
class InHypervisor {
public:
    explicit InHypervisor(Machine& m) : machine_(m) { machine_.enter_hypervisor(); }
    ~InHypervisor() { machine_.leave_hypervisor(); }
    InHypervisor(const InHypervisor&) = delete;
    InHypervisor& operator=(const InHypervisor&) = delete;

private:
    Machine& machine_;
};

}  // namespace xenrig
