// Where a fuzz target plays: one host, guests without drivers whose peers are scripts, and disks with guards.
//
// A script is a task of the hostile guest's. It says when the world is to settle: settle() returns when nothing else
// can run any more. What is found wrong on the way, by the engine, the ledger or an oracle, is a problem of the
// engine's, and ends the run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/engine/engine.h"
#include "sim/toolstack/toolstack.h"
#include "sim/world/ledger.h"
#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/drivers/blk/sim_disk.h"
#include "xenrig/world/subject.h"
#include "xenrig/xenbus/bus.h"

namespace xenrig::fuzz {

/// A guest that is nothing but a kernel: its peers are scripts.
struct BareGuest {
    std::vector<Cpu*> cpus;
    std::unique_ptr<guest::Kernel> kernel;
    DomId domain{};
    bool dead = false;
};

class Stage {
public:
    /// A host, and nothing else. Its backends serve the disks of add_disk().
    explicit Stage(engine::Source& source);
    ~Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    engine::Engine& engine() { return engine_; }
    toolstack::Host& host() { return *host_; }
    toolstack::Toolstack& tools() { return *tools_; }
    world::Ledger& ledger() { return *ledger_; }
    Platform& control() { return host_->control(); }

    struct DiskKind {
        bool read_only = false;
        std::uint32_t sector_bytes = 512;
        /// One operation in so many fails, where an input's choices say so.
        std::uint32_t error_one_in = 0;
    };
    /// A disk of kSectors that backends of the control domain open by this name.
    blk::SimDisk& add_disk(const std::string& name, const DiskKind& kind);
    /// What our backend offers of this device; before it is added.
    void set_options(unsigned device, const blk::BlkbackOptions& options) { options_[device] = options; }
    /// Of a subject that is a backend, or ours.
    void start_backends(const std::shared_ptr<const world::Subjects>& subject = nullptr);
    /// Built, running, and booted when the world has settled.
    BareGuest& add_guest(const std::string& name, std::vector<toolstack::DiskNodes> disks);
    /// A job of the toolstack's, to its end. Not in a script.
    void as_toolstack(const std::string& what, const std::function<void()>& job);
    /// The domain ends as it stands, and the toolstack takes away what it had. Not in a script.
    void destroy(BareGuest& guest);
    /// The same for who looks after its own kernel: `die` is called first.
    void destroy(DomId domain, const std::function<void()>& die);
    /// All tasks end where they stand: before what their scripts use is destroyed.
    void power_off();

    /// Runs `script` in a task of this platform's to its end; false when something was found wrong.
    bool play(Platform& home, const std::string& name, std::function<void()> script);
    /// Until all is quiet; false when something was found wrong. Not in a script.
    bool until_quiet();
    /// Of the hypercalls with which `domain` takes something or tells somebody, the one after so many fails with
    /// ENOMEM. One at a time.
    void fail_hypercall(DomId domain, unsigned after);
    void fail_no_hypercall() { host_->xen().set_fault({}); }
    void broken(std::string rule, std::string how) { engine_.report(std::move(rule), std::move(how)); }

    // In a script.
    void settle();
    void step_aside() { scheduler->yield(); }

    /// What a node of the store holds; empty when there is none. Nobody notices.
    std::string peek(const std::string& path);

    /// Machine memory and its table.
    std::vector<std::span<std::byte>> memory();

private:
    void end(BareGuest& guest);
    Result<std::shared_ptr<blk::Storage>> open(const blk::StorageRequest& request);

    struct Disk {
        std::shared_ptr<blk::SimDisk> storage;
        DiskKind kind;
    };

    engine::Engine engine_;
    std::unique_ptr<toolstack::Host> host_;
    std::unique_ptr<world::Ledger> ledger_;
    std::unique_ptr<toolstack::Toolstack> tools_;
    std::map<std::string, Disk> disks_;
    std::map<unsigned, blk::BlkbackOptions> options_;
    std::unique_ptr<xenbus::Bus> backends_;
    std::unique_ptr<world::BackendSubject> subject_;
    std::vector<std::unique_ptr<BareGuest>> guests_;

    WaitQueue settled_{"the world to settle"};
    IrqLock settling_lock_{"fuzz.stage"};
    bool settling_ = false;
};

}  // namespace xenrig::fuzz
