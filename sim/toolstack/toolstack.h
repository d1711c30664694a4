// What xl does: builds domains, gives them disks, moves them to another host, and takes all of it away again.
//
// Every function runs in a task of the control domain and waits there. The nodes it writes, their order and their
// permissions are libxl's (misc/xenstore-paths, libxl_create.c, libxl_device.c).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "sim/toolstack/host.h"

namespace xenrig::toolstack {

struct DiskNodes {
    /// As parse_vbd() gives it: the name of both directories.
    unsigned number = 51712;
    /// What the backend opens.
    std::string params;
    bool read_only = false;
    /// A drive: `params` may be empty, and may change.
    bool cdrom = false;
    /// Who serves it: the control domain, or a driver domain.
    DomId backend{0};
};

struct DomainSpec {
    std::string name;
    hypervisor::GuestType type = hypervisor::GuestType::hvm;
    /// The width of its kernel's word (a 32-bit PV guest's page tables have three levels), and how events come to it.
    unsigned bits = 64;
    guest::CallbackWay callback = guest::CallbackWay::vector;
    unsigned vcpus = 1;
    std::uint64_t frames = 512;
    std::vector<DiskNodes> disks;
    /// Of the host's processors (xl.cfg: cpu_weight, cap).
    unsigned weight = 256, cap = 0;
    /// What a PV guest finds on its start page.
    std::string cmd_line;
};

/// Where the guest's kernel of such a domain finds memory. A PV guest's memory must be what PvPlan takes.
/// Of an HVM or PVH guest.
MemoryPlan memory_plan(const DomainSpec& spec);
guest::Layout layout_of(const DomainSpec& spec);
/// What that kernel was compiled for.
guest::KernelOptions kernel_options(const DomainSpec& spec);

/// The guest's side of a start or a move: ties its kernel to the domain. Runs while the domain is paused.
using BindGuest = std::function<void(Host& host, DomId domain)>;

/// What comes into a new domain instead of what its builder would put there: an image. The store's port.
using FillDomain = std::function<Result<Port>(DomId domain)>;

class Toolstack {
public:
    explicit Toolstack(Host& host);

    /// A paused domain with its memory, ring pages, store nodes and devices, known to xenstored.
    Result<DomId> build(const DomainSpec& spec, const FillDomain& fill = {});
    Result<> add_disk(DomId domain, const DiskNodes& disk);
    /// Asks the backend to close and waits until both ends have; then the nodes go.
    Result<> remove_disk(DomId domain, unsigned number);
    /// The nodes go and nobody is asked: what is left when a backend has died (xl block-detach --force).
    Result<> force_remove_disk(DomId domain, unsigned number);

    /// Waits until the backend is Closed.
    Result<> wait_until_closed(DomId domain, unsigned number);
    /// What either end wrote into its error node; empty when nothing went wrong.
    std::string device_error(DomId domain, unsigned number);
    /// Another medium for a drive, or with no `params` none (libxl_cdrom_insert).
    Result<> change_medium(DomId domain, unsigned number, const std::string& params);
    /// Waits until the guest wants the medium of a drive taken out, and takes note (libxl_evenable_disk_eject).
    Result<> wait_for_eject(DomId domain, unsigned number);

    /// Writes the request and waits until the domain is down with SHUTDOWN_suspend. ETIMEDOUT never: a guest that does
    /// not answer is found when the world is quiet. ESRCH when the domain dies meanwhile.
    Result<> suspend(DomId domain);
    /// The guest goes on where it is, with 1 from its hypercall.
    Result<> cancel_suspend(DomId domain);

    /// Takes away what a domain has: devices first (their backends finish what is in progress), then its nodes.
    Result<> remove_devices(DomId domain);
    /// remove_devices() with the frontend gone, release from the store, and the end of the domain.
    Result<> destroy(DomId domain);

    Host& host() { return host_; }

private:
    /// Memory, ring pages, their ports and grants; the store's port.
    Result<Port> fill(DomId domain, const DomainSpec& spec);
    Result<Port> fill_translated(DomId domain, const DomainSpec& spec);
    Result<> write_home(DomId domain, const DomainSpec& spec);
    Result<> make(StoreTx tx, const std::string& path, const std::string& value, const std::vector<StorePerm>& perms);
    /// Waits until `done()` after a change of `path`; looks once before.
    Result<> wait_for(const std::string& path, const std::function<Result<bool>()>& done);
    Result<> wait_for_backend_closed(const std::string& backend);
    /// The backend's directory, as the toolstack wrote it down: the guest's own node is the guest's to change.
    Result<std::string> backend_of(DomId domain, const std::string& number);
    Result<> remove_disk_nodes(DomId domain, const std::string& number, const std::string& backend);

    Host& host_;
    Store& store_;
};

class GuestSaver;

/// A page of a suspended guest that is not as its copy, and that the dirty log called clean.
struct DirtyLogMiss {
    Gfn gfn;
};

/// Moves a guest: pre-copy into an image while it runs, suspend, the last copies, end of its devices here, a new domain
/// there that is filled from the image.
struct Migration {
    Toolstack& from;
    Toolstack& to;
    DomId domain;
    DomainSpec spec;
    BindGuest bind;
    /// Called with each frame that was changed behind the log's back.
    std::function<void(DirtyLogMiss)> missed;
    /// The whole image, once it is written; may be empty.
    std::function<void(std::span<const std::byte>)> saved;

    /// The new domain. On error the guest lives on at the source if it can.
    Result<DomId> run();

private:
    /// Of a suspended guest, to the image's end.
    Result<> copy_the_rest(GuestSaver& saver, std::span<const Gfn> dirty);
};

}  // namespace xenrig::toolstack
