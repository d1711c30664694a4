// What a toolstack does to disks in use, when the scenario says so.
#include <algorithm>
#include <mutex>

#include "sim/world/scenario_run.h"
#include "xenrig/abi/vbd.h"
#include "xenrig/drivers/blk/wire.h"

namespace xenrig::world {

void ScenarioRun::start_changes() {
    for (std::size_t i = 0; i < scenario_.changes.size(); ++i) {
        const ChangeSpec& change = scenario_.changes[i];
        const WorkloadSpec& spec = *scenario_.workload_of(change);
        DiskWorkload& on = workload(spec);
        if (change.kind == ChangeKind::hotplug)
            for (auto& w : workloads_)
                if (w->guest() == change.guest && w->device() == change.device) w->expect_disk_to_go();
        const std::uint32_t when = engine_.add_stream("change." + std::to_string(i) + ".after");
        site_named(scenario_.guest(spec.guest)->host).host->spawn_job("change", [this, &change, &on, when] {
            const unsigned after = engine_.pick(when, change.after_operations + 1);
            on.wait_completed(after);
            switch (change.kind) {
                case ChangeKind::resize:
                    return resize(change);
                case ChangeKind::hotplug:
                    return hotplug(change);
            }
        });
    }
}

void ScenarioRun::resize(const ChangeSpec& change) {
    const auto disk = disk_of(*scenario_.disk(change.disk));
    if (!disk) return broken("resize", disk.error().to_string());
    if (auto resized = (*disk)->resize(change.size); !resized) return broken("resize", resized.error().to_string());
    ++changes_;
    for (const GuestSpec& spec : scenario_.guests)
        for (const GuestDisk& d : spec.disks)
            if (d.disk == change.disk) {
                Guest& guest = guest_named(spec.name);
                guest.kernel().spawn(spec.name + ".resized", TaskRole::work,
                                     [this, &guest, disk = change.disk, number = *parse_vbd(d.device)] {
                                         use_resized(disk, guest, number);
                                     });
            }
}

/// Waits until the guest sees the size that the disk has, and looks at what lies at its new end.
void ScenarioRun::use_resized(const std::string& name, Guest& guest, unsigned number) {
    const auto units_now = [&] { return disks_[name].storage->info().bytes / blk::kUnit; };
    const auto disk = guest.disk(number);
    auto seen = disk->wait_connected();
    while (seen && seen->sectors != units_now()) seen = disk->wait_resized(seen->sectors);
    // A device that goes is another's to judge.
    if (!seen) return;
    std::vector<std::byte> sector(blk::kUnit);
    const auto last = disk->read(seen->sectors - 1, sector);
    const auto beyond = disk->read(seen->sectors, sector);
    if (seen->sectors != units_now()) return;
    if (!last && last.error().code != Errno::io && last.error().code != Errno::nodev)
        broken("resize", "the last sector of '" + name + "' can't be read: " + last.error().to_string());
    if (beyond) broken("resize", "a read beyond the end of '" + name + "' was answered with data");
}

void ScenarioRun::hotplug(const ChangeSpec& change) {
    Guest& guest = guest_named(change.guest);
    guest.wait_bound();
    const std::lock_guard one_at_a_time(devices_lock_);
    Site& site = site_of(guest);
    const unsigned number = *parse_vbd(change.device);
    const auto gone = change.force ? site.tools->force_remove_disk(guest.domain(), number)
                                   : site.tools->remove_disk(guest.domain(), number);
    if (!gone) return broken("block-detach", gone.error().to_string());
    const toolstack::DomainSpec now = domain_spec(*scenario_.guest(change.guest));
    const auto disk = std::ranges::find(now.disks, number, &toolstack::DiskNodes::number);
    if (auto back = site.tools->add_disk(guest.domain(), *disk); !back)
        return broken("block-attach", back.error().to_string());
    ++changes_;
}

}  // namespace xenrig::world
