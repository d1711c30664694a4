#include "sim/world/ledger.h"

#include <algorithm>

namespace xenrig::world {

namespace {

std::string dom(DomId d) { return "d" + std::to_string(d.value); }

}  // namespace

std::vector<std::string> Ledger::mappings(DomId by, DomId owner) const {
    std::vector<std::string> lines;
    for (const auto& [key, m] : mapped_) {
        if (key.first != by || m.what.owner != owner) continue;
        lines.push_back(host_ + "." + dom(by) + " maps " + dom(owner) + " gref " + std::to_string(m.what.ref.value) +
                        " as handle " + std::to_string(m.what.handle.value) + " since step " + std::to_string(m.since));
    }
    return lines;
}

std::size_t Ledger::ports(DomId domain) const {
    return static_cast<std::size_t>(
        std::count_if(ports_.begin(), ports_.end(), [&](const auto& p) { return p.first.first == domain; }));
}

void Ledger::domain_destroyed(DomId domain) {
    std::erase_if(ports_, [&](const auto& p) { return p.first.first == domain; });
}

void Ledger::mapped(const hypervisor::GrantMapping& m) {
    ++counts_.maps;
    mapped_[{m.by, m.handle}] = {m, step_()};
}

void Ledger::unmapped(const hypervisor::GrantMapping& m) { mapped_.erase({m.by, m.handle}); }

void Ledger::port_allocated(DomId domain, Port port, hypervisor::PortUse) { ports_[{domain, port}] = step_(); }

void Ledger::port_closed(DomId domain, Port port, hypervisor::PortUse) { ports_.erase({domain, port}); }

void Ledger::port_sent(DomId domain, Port port, hypervisor::PortUse use, hypervisor::Sent) {
    ++counts_.sends;
    if (use != hypervisor::PortUse::reserved && use != hypervisor::PortUse::free) return;
    broken_("stale-port", host_ + "." + dom(domain) + " sends on port " + std::to_string(port.value) +
                              ", which it does not have" +
                              (use == hypervisor::PortUse::reserved ? ": a number of an earlier domain" : ""));
}

}  // namespace xenrig::world
