// What a scenario must not say: each message names the table and the way out.
#include <algorithm>
#include <bit>

#include "xenrig/abi/vbd.h"
#include "xenrig/world/scenario.h"

namespace xenrig::world {

namespace {

/// One request (io/blkif.h: BLKIF_MAX_SEGMENTS_PER_REQUEST).
constexpr std::uint64_t kBarrierBytesMax = 11 * kPageSize;

template <class List>
bool named(const List& list, std::string_view name) {
    return std::any_of(list.begin(), list.end(), [&](const auto& x) { return x.name == name; });
}

template <class List>
std::string names(const List& list) {
    std::string text;
    for (const auto& x : list) text += (text.empty() ? "" : ", ") + x.name;
    return text.empty() ? "none" : text;
}

std::unexpected<Error> missing(const std::string& where, const std::string& what, const std::string& known) {
    return fail(Errno::inval, where + " names " + what + ", which is not there (there are: " + known + ")");
}

bool is_word(unsigned bits) { return bits == 32 || bits == 64; }

/// Bytes of a disk that its workloads touch.
std::uint64_t bytes_used(const Scenario& s, const std::string& disk) {
    std::uint64_t most = 0;
    for (const WorkloadSpec& w : s.workloads)
        for (const GuestDisk& d : s.guest(w.guest)->disks)
            if (d.disk == disk && d.device == w.device) most = std::max(most, std::uint64_t{w.blocks} * w.block_size);
    return most;
}

}  // namespace

Result<> Scenario::validate_changes() const {
    for (const ChangeSpec& c : changes) {
        if (c.kind == ChangeKind::resize) {
            if (!disk(c.disk)) return missing("[resize]", "disk '" + c.disk + "'", names(disks));
            if (c.size == 0 || c.size % disk(c.disk)->sector_size != 0)
                return fail(Errno::inval, "[resize]: to must be whole sectors of the disk, and not 0");
            if (c.size < bytes_used(*this, c.disk))
                return fail(Errno::inval, "[resize]: the workloads of disk '" + c.disk + "' use its first " +
                                              std::to_string(bytes_used(*this, c.disk)) +
                                              " bytes; give fewer blocks, or leave it that long");
        } else {
            const std::string where = c.kind == ChangeKind::medium ? "[medium]" : "[hotplug]";
            const GuestSpec* g = guest(c.guest);
            if (!g) return missing(where, "guest '" + c.guest + "'", names(guests));
            const auto is_it = [&](const GuestDisk& d) { return d.device == c.device; };
            const auto it = std::find_if(g->disks.begin(), g->disks.end(), is_it);
            if (it == g->disks.end())
                return fail(Errno::inval, where + ": guest '" + c.guest + "' has no device '" + c.device + "'");
            if (c.kind == ChangeKind::medium && !it->cdrom)
                return fail(Errno::inval, where + ": device '" + c.device + "' is no drive; name it in cdrom = [...]");
            if (c.kind == ChangeKind::medium && !c.disk.empty() && !disk(c.disk))
                return missing(where, "disk '" + c.disk + "'", names(disks));
            if (c.kind == ChangeKind::medium && !c.disk.empty() &&
                (disk(c.disk)->kind == DiskKind::file || c.disk.size() >= 512 || disk(c.disk)->sector_size != 512))
                return fail(Errno::inval, where + ": disk '" + c.disk + "' is a file or has large sectors");
            const auto dies = [&](const FaultSpec& f) { return f.kind != FaultKind::power_cut; };
            if (std::any_of(faults.begin(), faults.end(), dies))
                return fail(Errno::inval, where + ": a scenario in which a driver domain or a guest dies has none");
        }
        if (!workload_of(c))
            return fail(
                Errno::inval,
                c.kind == ChangeKind::resize
                    ? "[resize]: there is no workload on disk '" + c.disk + "', so it would never come"
                    : "[hotplug], [medium]: there is no workload on guest '" + c.guest + "', so it would never come");
    }
    return {};
}

Result<> Scenario::validate_locking() const {
    if (!locking) return {};
    const LockingSpec& spec = *locking;
    const GuestSpec* measured = guest(spec.guest);
    if (!measured) return missing("[locking]", "guest '" + spec.guest + "'", names(guests));
    const auto wrong = [](const std::string& what) { return fail(Errno::inval, "[locking]: " + what); };
    const auto host = std::ranges::find(hosts, measured->host, &HostSpec::name);
    if (host != hosts.end() && host->cpus == 0)
        return wrong("[host." + host->name + "] needs cpus = N: processors that its vCPUs share");
    if (!disks.empty() || !workloads.empty() || !drivers.empty() || !migrations.empty() || !faults.empty() ||
        !changes.empty() || guests.size() != 1)
        return wrong("an experiment has hosts and one guest, and nothing else");
    if (spec.kinds.empty()) return wrong("kinds names at least one of \"spin\" \"adaptive\" \"block\"");
    if (spec.overcommits.empty() || !std::ranges::is_sorted(spec.overcommits) || spec.overcommits.front() < 100 ||
        spec.overcommits.back() > 1600)
        return wrong("vcpus-per-cpu is a list of numbers from 1 to 16, the smallest first");
    for (const unsigned ratio : spec.overcommits)
        if (host != hosts.end() && (host->cpus * ratio % 100 != 0 || host->cpus * ratio / 100 < measured->vcpus))
            return wrong("vcpus-per-cpu: " + std::to_string(host->cpus) + " cpus times " + std::to_string(ratio / 100) +
                         "." + std::to_string(ratio % 100 + 100).substr(1) +
                         " must be whole vCPUs, and no fewer than guest '" + measured->name + "' has");
    if (spec.costs.spin_round_ns == 0)
        return wrong("[costs] spin-round-ns is above 0: the time that a round of a spin loop takes");
    if (spec.holds.empty() || std::ranges::find(spec.holds, Nanoseconds{}) != spec.holds.end())
        return wrong("section-us is a list of microseconds above 0");
    if (spec.outside == 0 || spec.duration.value == 0 || spec.seeds == 0)
        return wrong("outside, duration-ms and seeds are above 0");
    return {};
}

Result<> Scenario::validate() const {
    if (name.empty() || name.find_first_of(". /") != std::string::npos)
        return fail(Errno::inval, "a scenario's name is one word without dots or slashes, not '" + name + "'");
    if (hosts.empty()) return fail(Errno::inval, "a scenario needs a host: add [host.a]");
    if (guests.empty()) return fail(Errno::inval, "a scenario needs a guest: add [guest.NAME] with host = \"...\"");
    if (std::ranges::any_of(hosts, [&](const HostSpec& h) { return (h.cpus == 0) != (hosts.front().cpus == 0); }))
        return fail(Errno::inval, "either each [host.NAME] has cpus = N or none has: their times would not agree");
    if (auto valid = validate_locking(); !valid) return valid;
    for (const DiskSpec& d : disks) {
        if (d.kind == DiskKind::file && d.path.empty())
            return fail(Errno::inval, "[disk." + d.name + "] is a file and needs path = \"...\"");
        if (d.kind != DiskKind::file && (d.size == 0 || d.size % 512 != 0))
            return fail(Errno::inval, "[disk." + d.name + "]: size must be a multiple of 512 bytes, and not 0");
        if (!std::has_single_bit(d.sector_size) || d.sector_size < 512 || d.sector_size > kPageSize)
            return fail(Errno::inval, "[disk." + d.name + "]: sector-size must be 512, 1024, 2048 or 4096");
        if (d.kind == DiskKind::file ? d.sector_size != 512 : d.size % d.sector_size != 0)
            return fail(Errno::inval, "[disk." + d.name + "]: " +
                                          (d.kind == DiskKind::file ? "a file's sectors are 512 bytes"
                                                                    : "size must be whole sectors of sector-size"));
        if (d.latency_max < d.latency_min)
            return fail(Errno::inval, "[disk." + d.name + "]: latency-us runs from the smaller to the larger number");
    }
    for (const GuestSpec& g : guests) {
        const std::string where = "[guest." + g.name + "]";
        if (!named(hosts, g.host)) return missing(where, "host '" + g.host + "'", names(hosts));
        if (!is_word(g.bits)) return fail(Errno::inval, where + ": bits must be 32 or 64");
        if (g.vcpus == 0 || g.vcpus > 32) return fail(Errno::inval, where + ": vcpus must be from 1 to 32");
        if (g.weight == 0) return fail(Errno::inval, where + ": weight must be from 1 to 65535; xl's default is 256");
        if (g.frames < 64) return fail(Errno::inval, where + ": frames must be at least 64 (256 KiB)");
        for (const GuestDisk& d : g.disks) {
            if (!(d.cdrom && d.disk.empty()) && !disk(d.disk))
                return missing(where, "disk '" + d.disk + "'", names(disks));
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
        if (w.kinds() == 0)
            return fail(Errno::inval,
                        where + ": one of reads, writes, flushes, discards and barriers must be more than 0");
        if (w.in_flight == 0 || w.blocks == 0)
            return fail(Errno::inval, where + ": in-flight and blocks must be at least 1");
        if (w.block_size == 0 || w.block_size % kPageSize != 0 || w.block_size > 1_MiB)
            return fail(Errno::inval, where + ": block-size must be whole pages of 4096 bytes, from 4KiB to 1MiB");
        if (std::find_if(g->disks.begin(), g->disks.end(), has)->cdrom)
            return fail(Errno::inval, where + ": device '" + w.device + "' is a drive");
        const DiskSpec& d = *disk(std::find_if(g->disks.begin(), g->disks.end(), has)->disk);
        if (d.size != 0 && d.size < std::uint64_t{w.blocks} * w.block_size)
            return fail(Errno::inval, where + ": its " + std::to_string(w.blocks) + " blocks of " +
                                          std::to_string(w.block_size / 1024) + " KiB do not fit disk '" + d.name +
                                          "' of " + std::to_string(d.size) + " bytes; give blocks = " +
                                          std::to_string(std::max<std::uint64_t>(1, d.size / w.block_size)) +
                                          " or a larger size");
        if (d.read_only && w.writes + w.discards + w.barriers != 0)
            return fail(Errno::inval,
                        where + ": disk '" + d.name + "' is read-only; give writes, discards and barriers = 0");
        if (w.barriers != 0 && w.block_size > kBarrierBytesMax)
            return fail(Errno::inval, where + ": a barrier is one request of up to 44KiB; give a smaller block-size");
    }
    for (const MigrateSpec& m : migrations) {
        if (!guest(m.guest)) return missing("[migrate]", "guest '" + m.guest + "'", names(guests));
        if (!m.cancel && !named(hosts, m.to)) return missing("[migrate]", "host '" + m.to + "'", names(hosts));
    }
    for (const DriverSpec& d : drivers) {
        const std::string where = "[driver." + d.name + "]";
        if (!named(hosts, d.host)) return missing(where, "host '" + d.host + "'", names(hosts));
        if (!is_word(d.bits)) return fail(Errno::inval, where + ": bits must be 32 or 64");
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
        } else if (f.kind == FaultKind::hypercall_fails) {
            if (!guest(f.guest)) return missing("[fault]", "guest '" + f.guest + "'", names(guests));
            if (f.nth == 0) return fail(Errno::inval, "[fault]: nth counts from 1");
            if (!migrations.empty() || faults.size() != 1 || !changes.empty())
                return fail(Errno::inval,
                            "[fault]: hypercall-fails is alone in its scenario: no other fault, no "
                            "[migrate], no change of disks");
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
    return validate_changes();
}

}  // namespace xenrig::world
