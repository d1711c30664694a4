#include "sim/world/scenario_run.h"

#include <algorithm>
#include <mutex>

#include "xenrig/abi/check.h"
#include "xenrig/abi/vbd.h"
#include "xenrig/drivers/blk/blkback.h"

namespace xenrig::world {

toolstack::DomainSpec ScenarioRun::domain_spec(const GuestSpec& guest) {
    toolstack::DomainSpec spec{.name = guest.name,
                               .bits = guest.bits,
                               .vcpus = guest.vcpus,
                               .frames = guest.frames,
                               .weight = guest.weight,
                               .cap = guest.cap};
    for (const GuestDisk& d : guest.disks) {
        const auto number = parse_vbd(d.device);
        check(number.has_value(), "a scenario's devices were validated");
        const DomId backend = d.driver.empty() ? DomId{0} : drivers_.at(d.driver)->domain();
        spec.disks.push_back({.number = *number,
                              .params = d.disk,
                              .read_only = d.cdrom || scenario_.disk(d.disk)->read_only,
                              .cdrom = d.cdrom,
                              .backend = backend});
    }
    return spec;
}

ScenarioRun::ScenarioRun(const Scenario& scenario, const RunOptions& options, engine::Source& source,
                         engine::Model model)
    : scenario_(scenario), options_(options), engine_(source, {.model = model, .steps_max = options.steps_max}) {
    if (options_.trace)
        engine_.set_listener(
            [this](const engine::Record& r) { options_.trace(engine::describe(r, engine_.cpu_name(r.cpu))); });
    FeatureChoice choice = scenario_.block_features;
    if (choice == FeatureChoice::drawn) {
        const std::uint32_t stream = engine_.add_stream("block-features");
        block_features_ = {choice, [this, stream](std::uint32_t n) { return engine_.pick(stream, n); }};
    } else {
        block_features_ = {choice, {}};
    }
    make_sites();
}

ScenarioRun::~ScenarioRun() {
    // Whatever state a problem has left things in: guests first, for their backends' hosts must outlive them.
    for (auto& guest : guests_) guest->kill();
    for (Site& site : sites_) {
        site.host->stop();
        site.backends.reset();
        site.subject.reset();
    }
    for (auto& [name, driver] : drivers_)
        if (driver) driver->kill();
    workloads_.clear();
    guests_.clear();
    // A disk cancels the timers of what is in flight, and those are a host's.
    disks_.clear();
    sim_disks_.clear();
    drivers_.clear();
    dead_drivers_.clear();
    for (Site& site : sites_) site.host.reset();
}

void ScenarioRun::make_sites() {
    for (unsigned i = 0; i < scenario_.hosts.size(); ++i) {
        Site& site = sites_.emplace_back();
        const std::string& name = scenario_.hosts[i].name;
        site.host = std::make_unique<toolstack::Host>(
            engine_, toolstack::HostOptions{.name = name, .index = i, .cpus = scenario_.hosts[i].cpus});
        site.ledger = std::make_unique<Ledger>(
            name, [this] { return engine_.steps(); },
            [this](std::string rule, std::string how) { broken(std::move(rule), std::move(how)); });
        site.host->xen().set_observer(site.ledger.get());
        site.tools = std::make_unique<toolstack::Toolstack>(*site.host);
    }
}

std::string ScenarioRun::running() {
    const Task* const task = engine_.current_task();
    const Cpu* const cpu = engine_.current_cpu();
    return task && cpu ? "the task '" + task->name() + "' of " + cpu->name() : "no task";
}

bool ScenarioRun::until_quiet() {
    engine_.run();
    return healthy();
}

const HostSpec& ScenarioRun::host_spec(const Site& site) const {
    return *std::ranges::find(scenario_.hosts, site.host->name(), &HostSpec::name);
}

void ScenarioRun::start_backends(Site& site) {
    guest::Kernel& control = site.host->control();
    if (options_.subjects && options_.subjects->backend) {
        site.subject = options_.subjects->backend(
            control, [this](const blk::StorageRequest& request) { return open_storage(request); });
        control.spawn("backends", TaskRole::work, [&site] {
            check(site.subject->start().has_value(), "the control domain may watch its own backends");
        });
        return;
    }
    site.backends = std::make_unique<xenbus::Bus>(
        control,
        std::map<std::string, xenbus::BackendFactory>{
            {"vbd",
             block_features_.counting(host_spec(site).units).backends(control, [this](const blk::StorageRequest& r) {
                 return open_storage(r);
             })}});
    control.spawn("backends", TaskRole::work, [&site] {
        check(site.backends->start().has_value(), "the control domain may watch its own backends");
    });
}

std::unique_ptr<DriverDomain> ScenarioRun::make_driver(const DriverSpec& spec) {
    return std::make_unique<DriverDomain>(
        engine_,
        toolstack::DomainSpec{.name = spec.name, .bits = spec.bits, .vcpus = spec.vcpus, .frames = spec.frames},
        [this](const blk::StorageRequest& r) { return open_storage(r); },
        block_features_.counting(host_spec(site_named(spec.host)).units).with_word(spec.bits));
}

void ScenarioRun::start_drivers() {
    for (const DriverSpec& spec : scenario_.drivers) {
        Site& site = site_named(spec.host);
        DriverDomain& driver = *(drivers_[spec.name] = make_driver(spec));
        site.host->spawn_job("xl create " + spec.name, [&site, &driver, this] {
            if (auto started = driver.start(*site.tools); !started) broken("build", started.error().to_string());
        });
    }
}

void ScenarioRun::boot_guests() {
    for (const GuestSpec& spec : scenario_.guests) {
        Site& site = site_named(spec.host);
        Guest& guest = *guests_.emplace_back(std::make_unique<Guest>(
            engine_, domain_spec(spec), block_features_.counting(spec.units).with_word(spec.bits), options_.subjects));
        site.host->spawn_job("xl create " + spec.name, [&site, &guest, this] {
            const auto domain = site.tools->build(guest.spec());
            if (!domain) return broken("build", domain.error().to_string());
            guest.bind(*site.host, *domain);
            check(site.host->xen().unpause(*domain).has_value(), "a built domain is paused once");
        });
    }
}

void ScenarioRun::start_workloads() {
    for (const WorkloadSpec& spec : scenario_.workloads) {
        const auto guest =
            std::find_if(guests_.begin(), guests_.end(), [&](const auto& g) { return g->name() == spec.guest; });
        const GuestSpec& owner = *scenario_.guest(spec.guest);
        const auto device = std::find_if(owner.disks.begin(), owner.disks.end(),
                                         [&](const GuestDisk& d) { return d.device == spec.device; });
        DiskWorkload& workload = *workloads_.emplace_back(std::make_unique<DiskWorkload>(
            spec, device->disk, engine_,
            [this](std::string rule, std::string how) { broken(std::move(rule), std::move(how)); }));
        const DiskSpec& disk = *scenario_.disk(device->disk);
        const auto changes_it = [&](const ChangeSpec& c) { return c.disk == disk.name; };
        if (disk.kind != DiskKind::file && std::ranges::none_of(scenario_.changes, changes_it))
            workload.expect_size(disk.size);
        const unsigned number = *parse_vbd(spec.device);
        (*guest)->kernel().spawn(spec.guest + ".workload", TaskRole::work, [&guest = **guest, &workload, number] {
            workload.run(guest.kernel(),
                         [&](const blk::Disk* not_this) { return guest.user_disk_after(number, not_this); });
        });
    }
}

void ScenarioRun::start_migrations() {
    if (options_.no_migration) return;
    for (auto& guest : guests_) {
        std::vector<Move> moves;
        for (std::size_t i = 0; i < scenario_.migrations.size(); ++i) {
            const MigrateSpec& spec = scenario_.migrations[i];
            if (spec.guest == guest->name())
                moves.push_back({&spec, engine_.add_stream("migrate." + std::to_string(i) + ".after")});
        }
        if (moves.empty()) continue;
        toolstack::Host& host = *site_named(scenario_.guest(guest->name())->host).host;
        const bool at_step = options_.migrate_at && guest->name() == scenario_.migrations.front().guest;
        const auto job = [this, &guest = *guest, moves, at_step] { migrate_in_turn(moves, guest, at_step); };
        if (!at_step) {
            host.spawn_job("xl migrate", job);
            continue;
        }
        engine_.at_step(first_step_ + 1 + *options_.migrate_at, [&host, job]() -> Cpu* {
            host.spawn_job("xl migrate", job);
            return &host.job_cpu();
        });
    }
}

void ScenarioRun::migrate_in_turn(const std::vector<Move>& moves, Guest& guest, bool now) {
    for (const Move& move : moves) {
        if (!std::exchange(now, false)) {
            const unsigned after = engine_.pick(move.when, move.spec->after_operations + 1);
            for (auto& w : workloads_)
                if (w->guest() == guest.name()) w->wait_completed(after);
        }
        migrate(*move.spec, guest);
    }
}

ScenarioRun::Site& ScenarioRun::site_of(const Guest& guest) {
    return *std::find_if(sites_.begin(), sites_.end(), [&](const Site& s) { return s.host.get() == guest.host(); });
}

ScenarioRun::Site& ScenarioRun::site_named(const std::string& name) {
    return *std::find_if(sites_.begin(), sites_.end(), [&](const Site& s) { return s.host->name() == name; });
}

void ScenarioRun::migrate(const MigrateSpec& spec, Guest& guest) {
    guest.wait_bound();
    std::unique_lock one_at_a_time(devices_lock_, std::defer_lock);
    if (!scenario_.changes.empty()) one_at_a_time.lock();
    Site& from = site_of(guest);
    const auto count_in_flight = [&] {
        for (auto& w : workloads_)
            if (w->guest() == spec.guest) in_flight_at_suspend_ += w->in_flight();
    };
    ++migrations_;
    if (spec.cancel) {
        if (auto suspended = from.tools->suspend(guest.domain()); !suspended)
            return broken("suspend", suspended.error().to_string());
        count_in_flight();
        if (auto back = from.tools->cancel_suspend(guest.domain()); !back) broken("suspend", back.error().to_string());
        return;
    }
    Site& to = site_named(spec.to);
    toolstack::Migration migration{.from = *from.tools,
                                   .to = *to.tools,
                                   .domain = guest.domain(),
                                   .spec = guest.spec(),
                                   .bind =
                                       [&](toolstack::Host& host, DomId domain) {
                                           count_in_flight();
                                           guest.bind(host, domain);
                                       },
                                   .missed =
                                       [&](toolstack::DirtyLogMiss m) {
                                           broken("dirty-log", "gfn " + std::to_string(m.gfn.value) +
                                                                   " was written and the log does not know of it");
                                       },
                                   .saved = options_.saved};
    if (const auto moved = migration.run(); !moved) broken("migration", moved.error().to_string());
}

void ScenarioRun::unplug_and_check() {
    for (auto& guest : guests_) {
        if (guest->dead()) continue;
        Site& site = site_of(*guest);
        site.host->spawn_job("xl block-detach", [&site, &guest = *guest, this] {
            for (const toolstack::DiskNodes& disk : guest.spec().disks)
                if (auto removed = site.tools->remove_disk(guest.domain(), disk.number); !removed)
                    broken("unplug", removed.error().to_string());
        });
        if (!until_quiet()) return;
        // What the backend let go of late is given back at the next use of the grant table, whatever became of the
        // timers that try before.
        guest->kernel().spawn(guest->name() + ".grants", TaskRole::work, [&guest = *guest] {
            const guest::Kernel& kernel = guest.kernel();
            const auto frame = guest.kernel().memory().allocate();
            // Each use looks at some of them.
            for (std::size_t left = kernel.grants_to_end() + 1; frame && left != 0;) {
                (void)guest.kernel().grants().grant(DomId{0}, (*frame)->gfn(), Access::read_only);
                const std::size_t now = kernel.grants_to_end();
                left = now < left ? now : 0;
            }
        });
        if (!until_quiet()) return;
        const auto left = [&](const char* what, std::size_t n) {
            if (n != 0)
                broken("leak", "guest '" + guest->name() + "' has " + std::to_string(n) + " " + what +
                                   " left after its disks are gone");
        };
        left("grants", guest->kernel().grants().grants_in_use());
        left("frames", guest->kernel().memory().frames_in_use());
        // The store's ring, and the console's where one is served.
        const auto maps = site.ledger->mappings(DomId{0}, guest->domain());
        if (maps.size() > 1) broken("leak", "a backend still has mappings: " + maps.back());
    }
}

bool ScenarioRun::end_domain(Site& site, DomId domain, const std::string& name, const std::function<void()>& kill,
                             bool destroy) {
    const std::uint64_t refused = site.ledger->counts().refused;
    kill();
    if (site.ledger->counts().refused != refused)
        broken("dead-domain", "guest '" + name + "' made a hypercall after its death");
    if (!destroy) return healthy();
    site.host->spawn_job("xl destroy", [&site, domain, this] {
        if (auto destroyed = site.tools->destroy(domain); !destroyed) broken("destroy", destroyed.error().to_string());
    });
    return until_quiet();
}

void ScenarioRun::check_leftovers() {
    for (auto& guest : guests_) {
        const bool destroyed = guest->dead();
        if (!end_domain(site_of(*guest), guest->domain(), guest->name(), [&] { guest->kill(); }, !destroyed)) return;
    }
    for (auto& [name, driver] : drivers_)
        if (!end_domain(site_named(scenario_.driver(name)->host), driver->domain(), name, [&] { driver->kill(); }))
            return;
    for (Site& site : sites_) {
        if (const std::string wrong = site.host->xen().audit(); !wrong.empty())
            broken("hypervisor", site.host->name() + ": " + wrong);
        const auto left = site.host->xen().domains().size();
        if (left != 1)
            broken("leak", site.host->name() + ": " + std::to_string(left - 1) + " domains left that nobody uses");
    }
}

RunReport ScenarioRun::run() {
    bool well = until_quiet();
    for (Site& site : sites_)
        if (well) start_backends(site);
    well = well && until_quiet();
    if (well && !scenario_.drivers.empty()) {
        start_drivers();
        well = until_quiet();
    }
    if (well) {
        first_step_ = engine_.steps();
        boot_guests();
        start_workloads();
        start_migrations();
        start_faults();
        start_changes();
        well = until_quiet();
        last_step_ = engine_.steps();
    }
    if (well) unplug_and_check();
    if (healthy()) check_leftovers();
    return report();
}

RunReport ScenarioRun::report() {
    RunReport r;
    for (const engine::Problem& p : engine_.problems()) r.problems.push_back({p.oracle, p.text, p.step});
    constexpr std::size_t kTail = 40;
    if (!r.problems.empty())
        for (const engine::Record& record : engine_.trace_log().last(kTail))
            r.trace_tail.push_back(engine::describe(record, engine_.cpu_name(record.cpu)));
    r.hash = engine_.trace_log().hash();
    for (const auto& w : workloads_) {
        // Where a fault strikes decides what it leaves.
        r.end_state = r.end_state * 0x100000001b3ull ^ (scenario_.faults.empty() ? w->content_hash() : 0);
        r.operations += w->completed();
        r.failed_operations += w->failed();
        r.repeated_operations += w->repeated();
        r.lost_operations += w->lost();
    }
    r.points = last_step_ - first_step_;
    r.steps = engine_.steps();
    r.choices = engine_.choices().made();
    r.picks = engine_.choices().picks().size();
    r.switches = engine_.switches();
    r.upcalls = engine_.upcalls();
    for (const Site& site : sites_) {
        r.hypercalls += site.ledger->counts().hypercalls;
        r.grant_copies += site.ledger->counts().copies;
        r.grant_maps += site.ledger->counts().maps;
        r.events_sent += site.ledger->counts().sends;
        r.store_messages += site.host->store().daemon().messages();
    }
    r.migrations = migrations_;
    r.faults = faults_;
    r.changes = changes_;
    r.in_flight_at_suspend = in_flight_at_suspend_;
    r.model = engine::name(engine_.config().model);
    return r;
}

}  // namespace xenrig::world
