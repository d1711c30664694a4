// The physical processors of a host: which vCPU stands on which, and what its guest can read of that.
//
// A host that counts its processors runs the credit scheduler on them (credit.h): slices of 30 ms, ticks of 10 ms while
// something runs, accounting every 30 ms, all on the machine's timers, so that an idle host comes to rest. When a slice
// ends is a little uncertain, as on a machine: that is drawn. A host that counts none has as many as vCPUs, and only
// keeps the books: running or blocked.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "sim/hypervisor/vcpu.h"

namespace xenrig::hypervisor {

class Processors {
public:
    /// 0: as many as vCPUs.
    Processors(Host& host, unsigned count);
    ~Processors();

    bool counted() const { return credit_.has_value(); }
    /// Where none are counted, 1: what a guest may name by a number.
    std::uint32_t count() const { return counted() ? credit_->processors() : 1; }

    void attach(Vcpu& v, Cpu& cpu);
    /// Its runner goes elsewhere, or is no more.
    void detach(Vcpu& v);
    /// The runner has something to run, or not any more.
    void has_work(Vcpu& v, bool any);
    /// The vCPU was held, let go, put down or up: the state that its guest reads follows.
    void settle(Vcpu& v);
    /// SCHEDOP_yield.
    void yield(Vcpu& v);
    /// What a domain may use from now on; a weight of 0 leaves it as it is.
    void set_share(Domain& d, std::uint32_t weight, std::uint32_t cap);
    /// On this processor alone, or on any.
    void pin(Vcpu& v, std::optional<std::uint32_t> processor);
    /// Of all processors: something runs, or waits.
    bool busy() const;
    void stop();

private:
    struct Processor {
        Vcpu* runs = nullptr;
        OneShot slice, tick;
    };

    int state_of(const Vcpu& v) const;
    void schedule(std::uint32_t processor);
    void tick(std::uint32_t processor);
    void account_all(std::uint32_t);
    void arm(OneShot& timer, Nanoseconds deadline, void (Processors::*fire)(std::uint32_t), std::uint32_t processor);
    void cancel(OneShot& timer);

    Host& host_;
    std::optional<CreditScheduler> credit_;
    std::vector<Processor> processors_;
    OneShot accounting_;
    std::uint32_t jitter_stream_ = 0;
};

}  // namespace xenrig::hypervisor
