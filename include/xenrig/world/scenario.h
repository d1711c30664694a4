// A scenario: hosts, disks, guests, what the guests do, and what happens to them meanwhile. TOML in a file, or this
// struct from C++; the same runs as a test, a fuzz input and from the command line.
//
// docs/scenarios.md has the file's keys. The hash covers everything that can change a run, so that a token (a list of
// choices) is never replayed against another scenario than its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xenrig/abi/error.h"
#include "xenrig/abi/types.h"
#include "xenrig/world/lock_costs.h"

namespace xenrig::world {

/// What the ends of block devices take the protocol's sector numbers for, on a disk with sectors larger than 512 bytes
/// (drivers/blk/sector_units.h).
enum class BlockUnits : std::uint8_t { head, xen_4_17, freebsd, mini_os, tapdisk };

struct HostSpec {
    std::string name;
    /// Of the backends in its control domain.
    BlockUnits units = BlockUnits::head;
    /// Physical processors that all vCPUs of the host share; 0: each vCPU has its own.
    unsigned cpus = 0;
};

enum class DiskKind : std::uint8_t { ram, simulated, file };

struct DiskSpec {
    std::string name;
    DiskKind kind = DiskKind::ram;
    /// Bytes; for a file 0 means its length.
    std::uint64_t size = 1 << 20;
    /// file: the image's path.
    std::string path;
    bool read_only = false;
    /// simulated: a request takes between these.
    Nanoseconds latency_min = 20_us, latency_max = 200_us;
    /// simulated: what was not flushed is lost in a power cut.
    bool write_cache = true;
    /// Bytes of its own sectors; a file's are 512.
    std::uint32_t sector_size = 512;
};

/// A domain that serves disks to guests of its host.
struct DriverSpec {
    std::string name;
    std::string host;
    /// The width of its kernel's word.
    unsigned bits = 64;
    unsigned vcpus = 1;
    std::uint64_t frames = 512;
};

struct GuestDisk {
    std::string disk;
    /// As the guest names it: "xvda".
    std::string device;
    /// The driver domain that serves it; empty for the control domain.
    std::string driver;
    /// A drive; without a disk it is empty at first.
    bool cdrom = false;
};

struct GuestSpec {
    std::string name;
    std::string host;
    /// The width of its kernel's word: 64, or 32 (an i386).
    unsigned bits = 64;
    unsigned vcpus = 1;
    /// 4 KiB frames of RAM.
    std::uint64_t frames = 512;
    std::vector<GuestDisk> disks;
    /// Of its frontends.
    BlockUnits units = BlockUnits::head;
    /// Of the host's processors, where those are counted: its share against other domains', and the percent of one
    /// that it never exceeds (0: no limit).
    unsigned weight = 256, cap = 0;
};

/// Operations on one disk, never two at once to the same block, each read checked against what was written last.
struct WorkloadSpec {
    std::string guest;
    std::string device;
    unsigned operations = 60;
    /// Requests under way at the same time, at most.
    unsigned in_flight = 8;
    /// Blocks of the disk that it touches.
    unsigned blocks = 16;
    /// Bytes of a block, whole pages: an operation reads or writes one block.
    unsigned block_size = 4096;
    /// How often each kind is drawn, relative to the others.
    unsigned reads = 4, writes = 5, flushes = 1, discards = 0, barriers = 0;

    unsigned kinds() const { return reads + writes + flushes + discards + barriers; }
};

struct MigrateSpec {
    std::string guest;
    std::string to;
    /// The guest is asked to suspend when the workload has completed between 0 and this many operations.
    unsigned after_operations = 0;
    /// Instead of moving, the suspend is cancelled and the guest goes on where it is.
    bool cancel = false;
};

/// power_cut: a simulated disk loses its power; what is under way fails, what was not flushed may be lost.
/// backend_dies: a driver domain is destroyed in the middle of its work; another takes its place and the guests' disks.
/// guest_dies: a guest is destroyed in the middle of its work, for good.
/// hypercall_fails: the n-th hypercall with which an end of block devices takes something fails; a disk that closes of
/// it is detached and attached again.
enum class FaultKind : std::uint8_t { power_cut, backend_dies, guest_dies, hypercall_fails };

struct FaultSpec {
    FaultKind kind = FaultKind::power_cut;
    /// power_cut: this disk's. backend_dies: this driver domain. guest_dies: this guest. hypercall_fails: of this
    /// guest, or, where `at_backend`, of the control domain that serves it.
    std::string disk, driver, guest;
    bool at_backend = false;
    /// hypercall_fails: which one, from 1.
    unsigned nth = 1;
    /// It strikes when the first workload on the disk, on one of the driver's disks, or of the guest has completed
    /// between 0 and this many operations.
    unsigned after_operations = 0;
};

/// resize: a disk becomes longer or shorter under its backend.
/// hotplug: a disk is taken from its guest and given back.
/// medium: a drive gets another medium, or none.
enum class ChangeKind : std::uint8_t { resize, hotplug, medium };

/// What a toolstack does to a disk in use.
struct ChangeSpec {
    ChangeKind kind = ChangeKind::resize;
    /// resize: the disk, and its new size in bytes. medium: the new one, empty for none.
    std::string disk;
    std::uint64_t size = 0;
    /// hotplug, medium: the guest and its device.
    std::string guest, device;
    /// hotplug: nobody is asked (xl block-detach --force).
    bool force = false;
    /// medium: not before the guest has asked for the old one to be taken out.
    bool eject = false;
    /// It comes when the first workload on the disk, or of the guest, has completed between 0 and this many operations.
    unsigned after_operations = 0;
};

/// spin: a spin lock. block: who finds it taken sleeps. adaptive: spins while the holder runs, as far as the guest's
/// kernel can tell, and sleeps otherwise.
enum class LockKind : std::uint8_t { spin, adaptive, block };
const char* name(LockKind kind);

/// An experiment instead of disks: what locks cost a guest whose vCPUs have too few processors (locking.h).
struct LockingSpec {
    /// One task on each of its vCPUs takes the lock.
    std::string guest;
    std::vector<LockKind> kinds{LockKind::spin, LockKind::adaptive, LockKind::block};
    /// Hundredths of a vCPU for each processor of the host, ascending: those beyond the guest's only compute.
    std::vector<unsigned> overcommits{100, 150, 200};
    /// Lengths of the critical sections.
    std::vector<Nanoseconds> holds{2_us, 10_us};
    /// Between two sections a task computes so many times as long as in one, on average.
    unsigned outside = 12;
    /// Virtual time of a run.
    Nanoseconds duration = 400_ms;
    unsigned seeds = 2;
    LockCosts costs;
};

/// Which of the optional features of a device's protocol its ends use: for each end what is drawn, none, or all.
enum class FeatureChoice : std::uint8_t { drawn, plain, all };

struct Scenario {
    std::string name;
    unsigned version = 1;
    std::string description;
    FeatureChoice block_features = FeatureChoice::drawn;
    std::vector<HostSpec> hosts;
    std::vector<DiskSpec> disks;
    std::vector<DriverSpec> drivers;
    std::vector<GuestSpec> guests;
    std::vector<WorkloadSpec> workloads;
    std::vector<MigrateSpec> migrations;
    std::vector<FaultSpec> faults;
    std::vector<ChangeSpec> changes;
    std::optional<LockingSpec> locking;

    /// Of everything above but the description, the same on every machine.
    std::uint32_t hash() const;
    /// EINVAL names the first part that refers to something that is not there.
    Result<> validate() const;

    const DiskSpec* disk(std::string_view name) const;
    const GuestSpec* guest(std::string_view name) const;
    const DriverSpec* driver(std::string_view name) const;
    /// Null when the fault's disk, driver or guest has no workload.
    const WorkloadSpec* workload_of(const FaultSpec& fault) const;
    const WorkloadSpec* workload_of(const ChangeSpec& change) const;

private:
    Result<> validate_changes() const;
    Result<> validate_locking() const;
};

/// Errors read "FILE:LINE: what is wrong; what to do".
Result<Scenario> parse_scenario(std::string_view text, const std::string& file);
Result<Scenario> load_scenario(const std::string& file);

}  // namespace xenrig::world
