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
                case ChangeKind::medium:
                    return change_medium(change);
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

void ScenarioRun::change_medium(const ChangeSpec& change) {
    Guest& guest = guest_named(change.guest);
    guest.wait_bound();
    const unsigned number = *parse_vbd(change.device);
    const std::lock_guard one_at_a_time(devices_lock_);
    Site& site = site_of(guest);
    if (change.eject) {
        guest.kernel().spawn(guest.name() + ".eject", TaskRole::work, [this, &guest, number] {
            if (auto asked = guest.disk(number)->eject(); !asked) broken("medium", asked.error().to_string());
        });
        if (auto asked = site.tools->wait_for_eject(guest.domain(), number); !asked)
            return broken("medium", asked.error().to_string());
    }
    guest.set_medium(number, change.disk);
    if (auto changed = site.tools->change_medium(guest.domain(), number, change.disk); !changed)
        return broken("medium", changed.error().to_string());
    ++changes_;
    guest.kernel().spawn(guest.name() + ".medium", TaskRole::work,
                         [this, &guest, number] { use_medium(guest, number); });
}

/// Waits until the guest sees the medium that its drive has, and reads it to its end.
void ScenarioRun::use_medium(Guest& guest, unsigned number) {
    const auto drive = guest.disk(number);
    const auto params = [&] {
        return std::ranges::find(guest.spec().disks, number, &toolstack::DiskNodes::number)->params;
    };
    const auto units_of = [&](const std::string& disk) {
        return disk.empty() ? 0 : scenario_.disk(disk)->size / blk::kUnit;
    };
    auto seen = drive->wait_connected();
    while (seen && seen->sectors != units_of(params())) seen = drive->wait_resized(seen->sectors);
    if (!seen) return broken("medium", "the drive is of no use: " + seen.error().to_string());
    const std::string medium = params();
    std::vector<std::byte> sector(blk::kUnit);
    const auto first = drive->read(0, sector);
    const std::string label(reinterpret_cast<const char*>(sector.data()));
    const auto last = drive->read(std::max<std::uint64_t>(seen->sectors, 1) - 1, sector);
    // It may be another's by now.
    if (params() != medium) return;
    if (medium.empty() == first.has_value() || medium.empty() == last.has_value())
        return broken("medium", medium.empty() ? "an empty drive was read" : "a medium can't be read");
    if (!medium.empty() && label != medium)
        broken("medium", "what is read is labelled '" + label + "', and in the drive is '" + medium + "'");
}

}  // namespace xenrig::world
