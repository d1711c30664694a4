// What strikes a world in the middle of its work, when the scenario says so.
#include <algorithm>
#include <mutex>

#include "sim/world/scenario_run.h"
#include "xenrig/abi/check.h"

namespace xenrig::world {

DiskWorkload& ScenarioRun::workload(const WorkloadSpec& spec) {
    const auto found = std::find_if(workloads_.begin(), workloads_.end(), [&](const auto& w) {
        return w->guest() == spec.guest && w->device() == spec.device;
    });
    return **found;
}

Guest& ScenarioRun::guest_named(const std::string& name) {
    return **std::find_if(guests_.begin(), guests_.end(), [&](const auto& g) { return g->name() == name; });
}

void ScenarioRun::start_faults() {
    for (std::size_t i = 0; i < scenario_.faults.size(); ++i) {
        const FaultSpec& fault = scenario_.faults[i];
        const WorkloadSpec& spec = *scenario_.workload_of(fault);
        DiskWorkload& on = workload(spec);
        if (fault.kind == FaultKind::backend_dies)
            for (auto& w : workloads_) {
                const auto& disks = scenario_.guest(w->guest())->disks;
                if (std::any_of(disks.begin(), disks.end(), [&](const GuestDisk& d) {
                        return d.device == w->device() && d.driver == fault.driver;
                    }))
                    w->expect_disk_to_go();
            }
        if (fault.kind == FaultKind::hypercall_fails) {
            fail_hypercall(fault);
            continue;
        }
        const std::uint32_t when = engine_.add_stream("fault." + std::to_string(i) + ".after");
        site_named(scenario_.guest(spec.guest)->host).host->spawn_job("fault", [this, &fault, &on, when] {
            const unsigned after = engine_.pick(when, fault.after_operations + 1);
            on.wait_completed(after);
            switch (fault.kind) {
                case FaultKind::power_cut:
                    return cut_power(fault);
                case FaultKind::backend_dies:
                    return kill_driver(fault);
                case FaultKind::guest_dies:
                    return kill_guest(fault);
                case FaultKind::hypercall_fails:
                    return;
            }
        });
    }
}

void ScenarioRun::cut_power(const FaultSpec& fault) {
    const auto disk = sim_disks_.find(fault.disk);
    if (disk == sim_disks_.end()) return;  // nobody has opened it yet
    const std::lock_guard one_at_a_time(power_lock_);
    for (auto& w : workloads_)
        if (w->disk() == fault.disk) w->power_goes();
    disk->second->power_cut();
    for (auto& w : workloads_)
        if (w->disk() == fault.disk) w->power_lost();
    ++faults_;
}

void ScenarioRun::kill_guest(const FaultSpec& fault) {
    Guest& guest = guest_named(fault.guest);
    guest.wait_bound();
    Site& site = site_of(guest);
    engine_.from_outside([&] { guest.die(); });
    ++faults_;
    for (auto& w : workloads_)
        if (w->guest() == fault.guest) w->guest_died();
    if (auto destroyed = site.tools->destroy(guest.domain()); !destroyed)
        broken("destroy", destroyed.error().to_string());
}

void ScenarioRun::kill_driver(const FaultSpec& fault) {
    // A toolstack does one thing at a time: a guest that is being built is built to the end.
    const std::lock_guard one_at_a_time(driver_lock_);
    for (auto& guest : guests_) guest->wait_bound();
    const DriverSpec& spec = *scenario_.driver(fault.driver);
    Site& site = site_named(spec.host);
    std::unique_ptr<DriverDomain>& driver = drivers_[spec.name];
    const DomId old = driver->domain();
    engine_.from_outside([&] { driver->kill(); });
    ++faults_;
    dead_drivers_.push_back(std::move(driver));
    if (auto destroyed = site.tools->destroy(old); !destroyed) broken("destroy", destroyed.error().to_string());
    // As a controller is reset before another domain gets it: nothing of the old one's may arrive later.
    for (const GuestSpec& g : scenario_.guests)
        for (const GuestDisk& d : g.disks)
            if (d.driver == spec.name) {
                if (sim_disks_.contains(d.disk)) sim_disks_[d.disk]->reset();
                disks_[d.disk].use->reset();
            }

    driver = make_driver(spec);
    if (auto started = driver->start(*site.tools); !started) return broken("build", started.error().to_string());
    for (const GuestSpec& g : scenario_.guests) {
        Guest& guest = guest_named(g.name);
        const toolstack::DomainSpec now = domain_spec(g);
        for (std::size_t i = 0; i < g.disks.size(); ++i) {
            if (g.disks[i].driver != spec.name) continue;
            if (auto gone = site.tools->force_remove_disk(guest.domain(), now.disks[i].number); !gone)
                broken("block-detach", gone.error().to_string());
            if (auto back = site.tools->add_disk(guest.domain(), now.disks[i]); !back)
                broken("block-attach", back.error().to_string());
        }
    }
}

}  // namespace xenrig::world
