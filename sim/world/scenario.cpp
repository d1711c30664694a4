#include "xenrig/world/scenario.h"

#include <algorithm>

#include "xenrig/abi/vbd.h"

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
    void add(std::uint64_t n) {
        for (int i = 0; i < 8; ++i, n >>= 8) {
            const char byte = static_cast<char>(n & 0xff);
            bytes({&byte, 1});
        }
    }
};

template <class List>
auto find_named(const List& list, std::string_view name) -> decltype(list.data()) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const auto& x) { return x.name == name; });
    return found == list.end() ? nullptr : &*found;
}

template <class List>
std::string names(const List& list) {
    std::string text;
    for (const auto& x : list) text += (text.empty() ? "" : ", ") + x.name;
    return text.empty() ? "none" : text;
}

}  // namespace

const DiskSpec* Scenario::disk(std::string_view wanted) const { return find_named(disks, wanted); }
const GuestSpec* Scenario::guest(std::string_view wanted) const { return find_named(guests, wanted); }

const DriverSpec* Scenario::driver(std::string_view wanted) const { return find_named(drivers, wanted); }

const WorkloadSpec* Scenario::workload_of(const FaultSpec& fault) const {
    const auto meant = [&](const WorkloadSpec& w) {
        if (fault.kind == FaultKind::guest_dies) return w.guest == fault.guest;
        const GuestSpec* g = guest(w.guest);
        return g && std::any_of(g->disks.begin(), g->disks.end(), [&](const GuestDisk& d) {
                   return d.device == w.device &&
                          (fault.kind == FaultKind::power_cut ? d.disk == fault.disk : d.driver == fault.driver);
               });
    };
    const auto found = std::find_if(workloads.begin(), workloads.end(), meant);
    return found == workloads.end() ? nullptr : &*found;
}

std::uint32_t Scenario::hash() const {
    Hash h;
    h.add(name);
    h.add(version);
    if (block_features != FeatureChoice::drawn) h.add(static_cast<std::uint64_t>(block_features));
    for (const HostSpec& x : hosts) h.add(x.name);
    for (const DiskSpec& d : disks) {
        h.add(d.name);
        h.add(static_cast<std::uint64_t>(d.kind));
        h.add(d.size);
        h.add(d.path);
        h.add(d.read_only);
        h.add(d.latency_min.value);
        h.add(d.latency_max.value);
        h.add(d.write_cache);
    }
    for (const GuestSpec& g : guests) {
        h.add(g.name);
        h.add(g.host);
        h.add(g.vcpus);
        h.add(g.frames);
        for (const GuestDisk& d : g.disks) {
            h.add(d.disk);
            h.add(d.device);
            if (!d.driver.empty()) h.add(d.driver);
        }
    }
    for (const WorkloadSpec& w : workloads) {
        h.add(w.guest);
        h.add(w.device);
        for (const unsigned n : {w.operations, w.in_flight, w.blocks, w.reads, w.writes, w.flushes}) h.add(n);
        if (w.block_size != WorkloadSpec().block_size) h.add(w.block_size);
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
    }
    for (const FaultSpec& f : faults) {
        h.add(static_cast<std::uint64_t>(f.kind));
        h.add(f.disk);
        h.add(f.driver);
        h.add(f.guest);
        h.add(f.after_operations);
    }
    return h.value;
}

Result<> Scenario::validate() const {
    const auto missing = [](const std::string& where, const std::string& what, const std::string& known) {
        return fail(Errno::inval, where + " names " + what + ", which is not there (there are: " + known + ")");
    };
    if (name.empty() || name.find_first_of(". /") != std::string::npos)
        return fail(Errno::inval, "a scenario's name is one word without dots or slashes, not '" + name + "'");
    if (hosts.empty()) return fail(Errno::inval, "a scenario needs a host: add [host.a]");
    if (guests.empty()) return fail(Errno::inval, "a scenario needs a guest: add [guest.NAME] with host = \"...\"");
    for (const DiskSpec& d : disks) {
        if (d.kind == DiskKind::file && d.path.empty())
            return fail(Errno::inval, "[disk." + d.name + "] is a file and needs path = \"...\"");
        if (d.kind != DiskKind::file && (d.size == 0 || d.size % 512 != 0))
            return fail(Errno::inval, "[disk." + d.name + "]: size must be a multiple of 512 bytes, and not 0");
        if (d.latency_max < d.latency_min)
            return fail(Errno::inval, "[disk." + d.name + "]: latency-us runs from the smaller to the larger number");
    }
    for (const GuestSpec& g : guests) {
        const std::string where = "[guest." + g.name + "]";
        if (!find_named(hosts, g.host)) return missing(where, "host '" + g.host + "'", names(hosts));
        if (g.vcpus == 0 || g.vcpus > 32) return fail(Errno::inval, where + ": vcpus must be from 1 to 32");
        if (g.frames < 64) return fail(Errno::inval, where + ": frames must be at least 64 (256 KiB)");
        for (const GuestDisk& d : g.disks) {
            if (!disk(d.disk)) return missing(where, "disk '" + d.disk + "'", names(disks));
            const auto number = parse_vbd(d.device);
            if (!number) return fail(Errno::inval, where + ": " + number.error().message);
            const auto same = [&](const GuestDisk& other) { return parse_vbd(other.device).value_or(~0u) == *number; };
            if (std::count_if(g.disks.begin(), g.disks.end(), same) != 1)
                return fail(Errno::inval, where + ": two of its disks are device '" + d.device + "'");
            if (d.driver.empty()) continue;
            const DriverSpec* served_by = driver(d.driver);
            if (!served_by) return missing(where, "driver '" + d.driver + "'", names(drivers));
            if (served_by->host != g.host)
                return fail(Errno::inval, where + ": driver '" + d.driver + "' is on another host, '" +
                                              served_by->host + "'; a disk's two ends share one");
            const auto moves = [&](const MigrateSpec& m) { return m.guest == g.name && !m.cancel; };
            if (std::any_of(migrations.begin(), migrations.end(), moves))
                return fail(Errno::inval, where + ": its disk '" + d.disk +
                                              "' is a driver domain's, so it can't move; " + "take '" + d.disk + ":" +
                                              d.device + "' without @" + d.driver);
        }
    }
    for (const WorkloadSpec& w : workloads) {
        const std::string where = "[workload." + w.guest + "]";
        const GuestSpec* g = guest(w.guest);
        if (!g) return missing(where, "guest '" + w.guest + "'", names(guests));
        const auto has = [&](const GuestDisk& d) { return d.device == w.device; };
        if (std::none_of(g->disks.begin(), g->disks.end(), has))
            return fail(Errno::inval, where + ": guest '" + g->name + "' has no device '" + w.device + "'");
        if (w.reads + w.writes + w.flushes == 0)
            return fail(Errno::inval, where + ": one of reads, writes and flushes must be more than 0");
        if (w.in_flight == 0 || w.blocks == 0)
            return fail(Errno::inval, where + ": in-flight and blocks must be at least 1");
        if (w.block_size == 0 || w.block_size % kPageSize != 0 || w.block_size > 1_MiB)
            return fail(Errno::inval, where + ": block-size must be whole pages of 4096 bytes, from 4KiB to 1MiB");
        const DiskSpec& d = *disk(std::find_if(g->disks.begin(), g->disks.end(), has)->disk);
        if (d.size != 0 && d.size < std::uint64_t{w.blocks} * w.block_size)
            return fail(Errno::inval, where + ": its " + std::to_string(w.blocks) + " blocks of " +
                                          std::to_string(w.block_size / 1024) + " KiB do not fit disk '" + d.name +
                                          "' of " + std::to_string(d.size) + " bytes; give blocks = " +
                                          std::to_string(std::max<std::uint64_t>(1, d.size / w.block_size)) +
                                          " or a larger size");
        if (d.read_only && w.writes != 0)
            return fail(Errno::inval, where + ": disk '" + d.name + "' is read-only; give writes = 0");
    }
    for (const MigrateSpec& m : migrations) {
        if (!guest(m.guest)) return missing("[migrate]", "guest '" + m.guest + "'", names(guests));
        if (!m.cancel && !find_named(hosts, m.to)) return missing("[migrate]", "host '" + m.to + "'", names(hosts));
    }
    for (const DriverSpec& d : drivers) {
        const std::string where = "[driver." + d.name + "]";
        if (!find_named(hosts, d.host)) return missing(where, "host '" + d.host + "'", names(hosts));
        if (guest(d.name)) return fail(Errno::inval, where + ": a guest has that name");
        if (d.vcpus == 0 || d.vcpus > 32) return fail(Errno::inval, where + ": vcpus must be from 1 to 32");
        if (d.frames < 64) return fail(Errno::inval, where + ": frames must be at least 64 (256 KiB)");
    }
    for (const FaultSpec& f : faults) {
        if (f.kind == FaultKind::power_cut) {
            const DiskSpec* d = disk(f.disk);
            if (!d) return missing("[fault]", "disk '" + f.disk + "'", names(disks));
            if (d->kind != DiskKind::simulated)
                return fail(Errno::inval,
                            "[fault]: disk '" + f.disk + "' has no power to lose; only kind = " + "\"simulated\" has");
        } else if (f.kind == FaultKind::backend_dies) {
            if (!driver(f.driver)) return missing("[fault]", "driver '" + f.driver + "'", names(drivers));
        } else {
            const GuestSpec* dies = guest(f.guest);
            if (!dies) return missing("[fault]", "guest '" + f.guest + "'", names(guests));
            const auto moves = [&](const MigrateSpec& m) { return m.guest == f.guest; };
            if (std::any_of(migrations.begin(), migrations.end(), moves))
                return fail(Errno::inval, "[fault]: guest '" + f.guest + "' dies, so it can't be in [migrate] as well");
            for (const FaultSpec& other : faults)
                for (const GuestDisk& d : dies->disks)
                    if (&other != &f &&
                        (other.guest == f.guest || (other.kind == FaultKind::backend_dies && other.driver == d.driver)))
                        return fail(Errno::inval, "[fault]: guest '" + f.guest + "' or its driver dies more than once");
        }
        if (!workload_of(f))
            return fail(Errno::inval, "[fault]: there is no workload on " +
                                          (!f.guest.empty() ? "guest '" + f.guest
                                           : f.disk.empty() ? "a disk of driver '" + f.driver
                                                            : "disk '" + f.disk) +
                                          "', so it would never strike");
    }
    return {};
}

}  // namespace xenrig::world
