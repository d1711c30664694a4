#include "xenrig/world/scenario.h"

#include <algorithm>

namespace xenrig::world {

namespace {

/// FNV-1a over fields, each with its length, so that no two scenarios run together.
struct Hash {
    std::uint32_t value = 2166136261u;

    void bytes(std::string_view s) {
        for (const char c : s) value = (value ^ static_cast<unsigned char>(c)) * 16777619u;
    }
    void add(std::string_view s) {
        add(s.size());
        bytes(s);
    }
    /// A key that scenarios made before it was there do not have.
    void add_named(std::string_view key, std::uint64_t n) {
        add(key);
        add(n);
    }
    void add(std::uint64_t n) {
        for (int i = 0; i < 8; ++i, n >>= 8) {
            const char byte = static_cast<char>(n & 0xff);
            bytes({&byte, 1});
        }
    }
};

void add_locking(Hash& h, const LockingSpec& spec) {
    h.add("locking");
    h.add(spec.guest);
    for (const LockKind kind : spec.kinds) h.add_named("kind", static_cast<std::uint64_t>(kind));
    for (const unsigned o : spec.overcommits) h.add_named("overcommit", o);
    for (const Nanoseconds hold : spec.holds) h.add_named("hold", hold.value);
    const LockCosts& c = spec.costs;
    for (const std::uint64_t n : {std::uint64_t{spec.outside}, spec.duration.value, std::uint64_t{spec.seeds},
                                  c.spin_round_ns, c.context_switch_ns, c.hypercall_ns, c.upcall_ns, c.vcpu_switch_ns})
        h.add(n);
}

template <class List>
auto find_named(const List& list, std::string_view name) -> decltype(list.data()) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const auto& x) { return x.name == name; });
    return found == list.end() ? nullptr : &*found;
}

}  // namespace

const DiskSpec* Scenario::disk(std::string_view wanted) const { return find_named(disks, wanted); }
const GuestSpec* Scenario::guest(std::string_view wanted) const { return find_named(guests, wanted); }

const DriverSpec* Scenario::driver(std::string_view wanted) const { return find_named(drivers, wanted); }

const WorkloadSpec* Scenario::workload_of(const FaultSpec& fault) const {
    const auto meant = [&](const WorkloadSpec& w) {
        if (fault.kind == FaultKind::guest_dies || fault.kind == FaultKind::hypercall_fails)
            return w.guest == fault.guest;
        const GuestSpec* g = guest(w.guest);
        return g && std::any_of(g->disks.begin(), g->disks.end(), [&](const GuestDisk& d) {
                   return d.device == w.device &&
                          (fault.kind == FaultKind::power_cut ? d.disk == fault.disk : d.driver == fault.driver);
               });
    };
    const auto found = std::find_if(workloads.begin(), workloads.end(), meant);
    return found == workloads.end() ? nullptr : &*found;
}

const WorkloadSpec* Scenario::workload_of(const ChangeSpec& change) const {
    const auto meant = [&](const WorkloadSpec& w) {
        if (change.kind != ChangeKind::resize) return w.guest == change.guest;
        const GuestSpec* g = guest(w.guest);
        return g && std::any_of(g->disks.begin(), g->disks.end(),
                                [&](const GuestDisk& d) { return d.device == w.device && d.disk == change.disk; });
    };
    const auto found = std::find_if(workloads.begin(), workloads.end(), meant);
    return found == workloads.end() ? nullptr : &*found;
}

const char* name(LockKind kind) {
    switch (kind) {
        case LockKind::spin:
            return "spin";
        case LockKind::adaptive:
            return "adaptive";
        case LockKind::block:
            return "block";
    }
    return "?";
}

std::uint32_t Scenario::hash() const {
    Hash h;
    h.add(name);
    h.add(version);
    if (block_features != FeatureChoice::drawn) h.add(static_cast<std::uint64_t>(block_features));
    for (const HostSpec& x : hosts) {
        h.add(x.name);
        if (x.units != BlockUnits::head) h.add(static_cast<std::uint64_t>(x.units));
        if (x.cpus != 0) h.add_named("cpus", x.cpus);
    }
    for (const DiskSpec& d : disks) {
        h.add(d.name);
        h.add(static_cast<std::uint64_t>(d.kind));
        h.add(d.size);
        h.add(d.path);
        h.add(d.read_only);
        h.add(d.latency_min.value);
        h.add(d.latency_max.value);
        h.add(d.write_cache);
        if (d.sector_size != DiskSpec().sector_size) h.add(d.sector_size);
    }
    for (const GuestSpec& g : guests) {
        h.add(g.name);
        h.add(g.host);
        h.add(g.vcpus);
        h.add(g.frames);
        if (g.units != BlockUnits::head) h.add(static_cast<std::uint64_t>(g.units));
        if (g.bits != GuestSpec().bits) h.add_named("bits", g.bits);
        if (g.weight != GuestSpec().weight) h.add_named("weight", g.weight);
        if (g.cap != 0) h.add_named("cap", g.cap);
        for (const GuestDisk& d : g.disks) {
            h.add(d.disk);
            h.add(d.device);
            if (!d.driver.empty()) h.add(d.driver);
            if (d.cdrom) h.add("cdrom");
        }
    }
    if (locking) add_locking(h, *locking);
    for (const WorkloadSpec& w : workloads) {
        h.add(w.guest);
        h.add(w.device);
        for (const unsigned n : {w.operations, w.in_flight, w.blocks, w.reads, w.writes, w.flushes}) h.add(n);
        if (w.block_size != WorkloadSpec().block_size) h.add(w.block_size);
        if (w.discards + w.barriers != 0)
            for (const unsigned n : {w.discards, w.barriers}) h.add(n);
    }
    for (const MigrateSpec& m : migrations) {
        h.add(m.guest);
        h.add(m.to);
        h.add(m.after_operations);
        h.add(m.cancel);
    }
    for (const DriverSpec& d : drivers) {
        h.add(d.name);
        h.add(d.host);
        h.add(d.vcpus);
        h.add(d.frames);
        if (d.bits != DriverSpec().bits) h.add_named("bits", d.bits);
    }
    for (const FaultSpec& f : faults) {
        h.add(static_cast<std::uint64_t>(f.kind));
        h.add(f.disk);
        h.add(f.driver);
        h.add(f.guest);
        h.add(f.after_operations);
        if (f.kind == FaultKind::hypercall_fails) {
            h.add(f.at_backend);
            h.add(f.nth);
        }
    }
    for (const ChangeSpec& c : changes) {
        h.add(static_cast<std::uint64_t>(c.kind));
        h.add(c.disk);
        h.add(c.size);
        h.add(c.guest);
        h.add(c.device);
        h.add(c.force);
        h.add(c.eject);
        h.add(c.after_operations);
    }
    return h.value;
}

}  // namespace xenrig::world
