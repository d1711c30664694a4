#include "sim/hypervisor/bindings.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

std::string name(const Domain& d) { return "d" + std::to_string(d.id.value); }
std::string name(const Domain& d, Port port) { return name(d) + " port " + std::to_string(port.value); }

bool knows_peer(const Host& host, const Domain& d, Port port, const Channel& channel) {
    if (!channel.remote || host.find(channel.remote_id) != channel.remote) return false;
    const EventChannels& theirs = channel.remote->events;
    if (!theirs.valid(channel.remote_port)) return false;
    const Channel& peer = theirs.at(channel.remote_port);
    return peer.use == PortUse::interdomain && peer.remote == &d && peer.remote_port == port;
}

bool is_virq_of_a_vcpu(const Domain& d, Port port, const Channel& channel) {
    const Vcpu* v = d.vcpu(virq_is_global(channel.number) ? VcpuId{0} : channel.vcpu);
    return v && channel.number < kVirqs && v->virq_ports[channel.number] == port.value;
}

std::string wrong_port(const Host& host, const Domain& d) {
    std::size_t pirqs = 0;
    for (Port port{0}; d.events.valid(port); ++port.value) {
        const Channel& channel = d.events.at(port);
        if (channel.use == PortUse::interdomain && !knows_peer(host, d, port, channel))
            return name(d, port) + " is bound to a port that is not bound to it";
        if (channel.use == PortUse::virq && !is_virq_of_a_vcpu(d, port, channel))
            return name(d, port) + " is bound to a VIRQ that does not come on it";
        if (channel.use != PortUse::pirq) continue;
        if (++pirqs; d.pirqs.port(channel.number) != port)
            return name(d, port) + " is bound to a pirq that does not come on it";
    }
    if (d.pirqs.bound() != pirqs) return name(d) + " has a pirq that is bound to no port";
    for (const auto& v : d.vcpus)
        for (std::uint32_t virq = 0; virq < kVirqs; ++virq) {
            const Port port{v->virq_ports[virq]};
            if (port == Port{0}) continue;
            if (!d.events.valid(port) || d.events.at(port).use != PortUse::virq || d.events.at(port).number != virq)
                return name(d, port) + " is closed, and VIRQ " + std::to_string(virq) + " still comes on it";
        }
    return {};
}

/// The handles of all domains, by the grants behind them; and by who maps, with a count of the mapped pages.
class Handles {
public:
    explicit Handles(const Host& host) {
        for (const DomId dom : host.domains()) enter(*host.find(dom));
    }

    std::string wrong_grant(const Domain& granter) const {
        const std::uint32_t entries = granter.grants.entries();
        for (std::uint32_t ref = 0; ref < entries; ++ref) {
            const Pins& pins = granter.grants.active(GrantRef{ref}).pins;
            if (!pins.any()) continue;
            const auto found = pins_.find({granter.id.value, ref});
            if (found == pins_.end() || !equal(pins, found->second))
                return name(granter) + " gref " + std::to_string(ref) + " is in use, and no handles say so";
        }
        for (const auto& [grant, pins] : pins_)
            if (grant.first == granter.id.value &&
                (grant.second >= entries || !equal(granter.grants.active(GrantRef{grant.second}).pins, pins)))
                return name(granter) + " gref " + std::to_string(grant.second) + " is not in use as its handles say";
        return {};
    }

    std::string wrong_mapping(const Domain& d) const {
        std::map<std::uint64_t, std::size_t> seen;
        std::string wrong;
        d.physmap.for_each([&](Gfn gfn, PhysmapEntry entry) {
            if (!entry.granted() || !wrong.empty()) return;
            const auto allowed = pages_.find({d.id.value, entry.frame().value});
            if (++seen[entry.frame().value] > (allowed == pages_.end() ? 0 : allowed->second))
                wrong = name(d) + " maps mfn " + std::to_string(entry.frame().value) + " at gfn " +
                        std::to_string(gfn.value) + ", and has no handle for that";
        });
        return wrong;
    }

private:
    static bool equal(const Pins& a, const Pins& b) {
        return std::tie(a.host_ro, a.host_rw, a.device_ro, a.device_rw) ==
               std::tie(b.host_ro, b.host_rw, b.device_ro, b.device_rw);
    }

    void enter(const Domain& by) {
        for (const GrantTrack& track : by.grants.tracks()) {
            const bool writable = (track.flags & GNTMAP_readonly) == 0;
            const bool host = (track.flags & GNTMAP_host_map) != 0, device = (track.flags & GNTMAP_device_map) != 0;
            if (!host && !device) continue;
            Pins& pins = pins_[{track.owner->id.value, track.ref.value}];
            if (host) ++(writable ? pins.host_rw : pins.host_ro);
            if (device) ++(writable ? pins.device_rw : pins.device_ro);
            if (host) ++pages_[{by.id.value, track.owner->grants.active(track.ref).mfn.value}];
        }
    }

    std::map<std::pair<std::uint16_t, std::uint32_t>, Pins> pins_;
    /// Which of its mappings of a frame a guest ends by a handle is its own choice (replace_grant_p2m_mapping looks for
    /// no rights), so that only their number is known.
    std::map<std::pair<std::uint16_t, std::uint64_t>, std::size_t> pages_;
};

}  // namespace

std::string wrong_binding(const Host& host) {
    const Handles handles(host);
    for (const DomId dom : host.domains()) {
        const Domain& d = *host.find(dom);
        if (std::string wrong = wrong_port(host, d); !wrong.empty()) return wrong;
        if (std::string wrong = handles.wrong_grant(d); !wrong.empty()) return wrong;
        if (std::string wrong = handles.wrong_mapping(d); !wrong.empty()) return wrong;
    }
    return {};
}

}  // namespace xenrig::hypervisor
