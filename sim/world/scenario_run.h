// One run of a scenario: the hosts booted, the guests started, the workloads done, the migrations made, the ends looked
// at.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/engine/engine.h"
#include "sim/toolstack/toolstack.h"
#include "sim/world/block_features.h"
#include "sim/world/disk_workload.h"
#include "sim/world/driver_domain.h"
#include "sim/world/guest.h"
#include "sim/world/ledger.h"
#include "sim/world/witnessed_storage.h"
#include "xenrig/drivers/blk/sim_disk.h"
#include "xenrig/world/run.h"
#include "xenrig/world/scenario.h"
#include "xenrig/world/subject.h"

namespace xenrig::world {

class ScenarioRun {
public:
    ScenarioRun(const Scenario& scenario, const RunOptions& options, engine::Source& source, engine::Model model);
    ~ScenarioRun();

    RunReport run();
    const std::vector<engine::Pick>& picks() const { return engine_.choices().picks(); }
    std::uint64_t step() const { return engine_.steps(); }
    /// Whose code runs now: "the task 'blkfront' of web.v0".
    std::string running();

private:
    struct Site {
        std::unique_ptr<toolstack::Host> host;
        std::unique_ptr<Ledger> ledger;
        std::unique_ptr<toolstack::Toolstack> tools;
        std::unique_ptr<xenbus::Bus> backends;
        std::unique_ptr<BackendSubject> subject;
    };

    void make_sites();
    const HostSpec& host_spec(const Site& site) const;
    void start_backends(Site& site);
    Result<std::shared_ptr<blk::Storage>> open_storage(const blk::StorageRequest& request);
    struct Disk;
    Result<Disk*> disk_of(const DiskSpec& spec);
    /// It is put into a drive, and its first sector holds its name.
    bool is_medium(const std::string& disk) const;
    Result<> make_disk(const DiskSpec& spec, Disk& made);
    /// Each driver domain runs before a guest's disk names it.
    void start_drivers();
    std::unique_ptr<DriverDomain> make_driver(const DriverSpec& spec);
    toolstack::DomainSpec domain_spec(const GuestSpec& guest);
    void boot_guests();
    void start_workloads();
    struct Move {
        const MigrateSpec* spec;
        std::uint32_t when;
    };
    void start_migrations();
    void start_faults();
    void start_changes();
    void resize(const ChangeSpec& change);
    void use_resized(const std::string& disk, Guest& guest, unsigned number);
    void hotplug(const ChangeSpec& change);
    void change_medium(const ChangeSpec& change);
    void use_medium(Guest& guest, unsigned number);
    void cut_power(const FaultSpec& fault);
    void kill_driver(const FaultSpec& fault);
    void kill_guest(const FaultSpec& fault);
    void fail_hypercall(const FaultSpec& fault);
    void replace_closed_disks(const FaultSpec& fault);
    DiskWorkload& workload(const WorkloadSpec& spec);
    Guest& guest_named(const std::string& name);
    /// `now`: the first one at once, whatever the scenario says.
    void migrate_in_turn(const std::vector<Move>& moves, Guest& guest, bool now);
    Site& site_of(const Guest& guest);
    Site& site_named(const std::string& name);
    void migrate(const MigrateSpec& spec, Guest& guest);
    void unplug_and_check();
    bool end_domain(Site& site, DomId domain, const std::string& name, const std::function<void()>& kill,
                    bool destroy = true);
    void check_leftovers();
    bool healthy() const { return engine_.problems().empty(); }
    bool until_quiet();
    void broken(std::string rule, std::string how) { engine_.report(std::move(rule), std::move(how)); }
    std::uint64_t end_state();
    RunReport report();

    Scenario scenario_;
    RunOptions options_;
    engine::Engine engine_;
    BlockFeatures block_features_;
    std::vector<Site> sites_;
    std::map<std::string, std::shared_ptr<blk::SimDisk>> sim_disks_;
    struct Disk {
        std::shared_ptr<blk::Storage> storage;
        std::function<Result<>(std::uint64_t bytes)> resize;
        std::shared_ptr<DiskUse> use = std::make_shared<DiskUse>();
    };
    std::map<std::string, Disk> disks_;
    /// By name; the dead ones stay.
    std::map<std::string, std::unique_ptr<DriverDomain>> drivers_;
    std::vector<std::unique_ptr<DriverDomain>> dead_drivers_;
    /// Held while a driver domain is replaced.
    Lock driver_lock_{"driver domains"};
    /// A toolstack moves a guest, or changes its devices. Taken where a scenario has both.
    Lock devices_lock_{"guests' devices"};
    /// Held while a disk loses its power.
    Lock power_lock_{"power"};
    std::vector<std::unique_ptr<Guest>> guests_;
    std::vector<std::unique_ptr<DiskWorkload>> workloads_;
    /// Steps of the part in which guests boot, work and move.
    std::uint64_t first_step_ = 0, last_step_ = 0;
    unsigned migrations_ = 0;
    unsigned faults_ = 0;
    unsigned changes_ = 0;
    unsigned in_flight_at_suspend_ = 0;
};

}  // namespace xenrig::world
