// The books of a host, made up anew from its domains and held against the machine's memory.
#include <string>

#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

namespace {

class Books {
public:
    explicit Books(const Host& host) : host_(host), uses_(static_cast<std::size_t>(host.memory.frames())) {}

    void use(Mfn mfn, std::uint32_t times = 1) {
        uses_[static_cast<std::size_t>(mfn.value - host_.memory.first().value)] += times;
    }

    void enter(const Domain& d) {
        use(d.shared_info_mfn);
        for (unsigned i = 0; i < d.grants.frames(); ++i) use(d.grants.frame(i));
        for (unsigned i = 0; i < d.grants.status_frames(); ++i) use(d.grants.status_frame(i));
        d.physmap.for_each([&](Gfn, PhysmapEntry entry) {
            if (entry.type == PageType::ram || entry.type == PageType::foreign) use(entry.frame());
        });
        for (const Mfn mfn : d.unplaced) use(mfn);
        for (const Mfn mfn : d.pod.cache()) use(mfn);
        for (const auto& v : d.vcpus)
            if (v->info_frame) use(*v->info_frame);
        for (const Mfn mfn : d.events.frames()) use(mfn);
        if (const auto mfn = d.pirqs.eoi_frame()) use(*mfn);
        const std::uint32_t entries = d.grants.entries();
        for (std::uint32_t ref = 0; ref < entries; ++ref) use_pins(d.grants.active(GrantRef{ref}));
    }

    std::string compare() const {
        for (std::size_t i = 0; i < uses_.size(); ++i) {
            const Mfn mfn{host_.memory.first().value + i};
            const std::uint32_t counted = host_.memory.allocated(mfn) ? host_.memory.uses(mfn) : 0;
            if (counted != uses_[i])
                return "mfn " + std::to_string(mfn.value) + " is counted " + std::to_string(counted) +
                       " times and used " + std::to_string(uses_[i]) + " times";
        }
        return {};
    }

private:
    void use_pins(const ActiveGrant& active) {
        const Pins& p = active.pins;
        if (p.any()) use(active.mfn, std::uint32_t{p.host_ro} + p.host_rw + p.device_ro + p.device_rw);
    }

    const Host& host_;
    std::vector<std::uint32_t> uses_;
};

}  // namespace

std::string Hypervisor::audit_counts() const {
    const MachineMemory& memory = host_->memory;
    const MachineMemory::Count count = memory.recount();
    if (count.allocated != memory.frames_allocated() || count.free != memory.frames_free() ||
        count.allocated + count.free != memory.frames())
        return "allocated and free frames do not add up to " + std::to_string(memory.frames());

    Books books(*host_);
    host_->page_types.for_each([&](Mfn mfn, std::uint32_t references) { books.use(mfn, references); });
    for (const DomId dom : host_->domains()) books.enter(*host_->find(dom));
    return books.compare();
}

std::string Hypervisor::audit() const {
    if (std::string wrong = audit_counts(); !wrong.empty()) return wrong;
    if (const auto bad = host_->memory.overwritten_poison(); !bad.empty())
        return "freed mfn " + std::to_string(bad.front().value) + " was written to";
    return {};
}

}  // namespace xenrig::hypervisor
