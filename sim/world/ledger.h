// What the hypervisor's objects are and were: every mapping, port and pin with the step of its birth.
//
// It hears all from the hypervisor (observer.h) and asks nobody. Rules it checks as it goes: nobody sends on a port
// that he does not have. What is left over when something has ended is for its reader to judge.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/hypervisor/observer.h"

namespace xenrig::world {

class Ledger final : public hypervisor::Observer {
public:
    /// `step` is the world's clock of steps; `broken` is told of a rule by its short name, and how it was broken.
    Ledger(std::string host, std::function<std::uint64_t()> step,
           std::function<void(std::string rule, std::string how)> broken)
        : host_(std::move(host)), step_(std::move(step)), broken_(std::move(broken)) {}

    struct Counts {
        std::uint64_t maps = 0, copies = 0, sends = 0, hypercalls = 0, refused = 0;
    };
    const Counts& counts() const { return counts_; }

    /// "d0 maps d1 gref 8 as handle 3 since step 512", one for each mapping by `by` of frames of `owner`.
    std::vector<std::string> mappings(DomId by, DomId owner) const;
    /// Ports of a domain that are not reserved, free or closed.
    std::size_t ports(DomId domain) const;

    void domain_destroyed(DomId domain) override;
    void mapped(const hypervisor::GrantMapping& m) override;
    void unmapped(const hypervisor::GrantMapping& m) override;
    void copied(DomId, Mfn, Mfn, std::uint16_t) override { ++counts_.copies; }
    void port_allocated(DomId domain, Port port, hypervisor::PortUse use) override;
    void port_closed(DomId domain, Port port, hypervisor::PortUse was) override;
    void port_sent(DomId domain, Port port, hypervisor::PortUse use, hypervisor::Sent sent) override;
    void hypercall_begins(DomId, VcpuId, unsigned, const HypercallArgs&) override { ++counts_.hypercalls; }
    void hypercall_refused(DomId, VcpuId, unsigned) override { ++counts_.refused; }

private:
    struct Mapped {
        hypervisor::GrantMapping what;
        std::uint64_t since;
    };

    std::string host_;
    std::function<std::uint64_t()> step_;
    std::function<void(std::string, std::string)> broken_;
    Counts counts_;
    std::map<std::pair<DomId, GrantHandle>, Mapped> mapped_;
    std::map<std::pair<DomId, Port>, std::uint64_t> ports_;
};

}  // namespace xenrig::world
