// What stands behind a scenario's disks: made when somebody first asks for it, shared by all hosts.
#include <algorithm>

#include "sim/world/scenario_run.h"
#include "xenrig/drivers/blk/file_disk.h"
#include "xenrig/drivers/blk/ram_disk.h"

namespace xenrig::world {

Result<std::shared_ptr<blk::Storage>> ScenarioRun::open_storage(const blk::StorageRequest& request) {
    const DiskSpec* spec = scenario_.disk(request.params);
    if (!spec) return fail(Errno::noent, "there is no disk '" + request.params + "'");
    const auto found = disk_of(*spec);
    if (!found) return std::unexpected(found.error());
    Disk& disk = **found;
    unsigned users = 0;
    for (const GuestSpec& g : scenario_.guests)
        users += static_cast<unsigned>(std::ranges::count(g.disks, spec->name, &GuestDisk::disk));
    return std::make_shared<WitnessedStorage>(
        disk.storage, disk.use,
        [this, spec](const blk::StorageOp& op) {
            for (auto& w : workloads_)
                if (w->disk() == spec->name) w->reached_storage(op);
        },
        [this, spec, users] {
            // A medium is only read, by as many as like to.
            if (users == 1 && !is_medium(spec->name))
                broken("two-backends", "disk '" + spec->name +
                                           "' is used by a backend while operations of an earlier one are under way");
        });
}

Result<ScenarioRun::Disk*> ScenarioRun::disk_of(const DiskSpec& spec) {
    Disk& disk = disks_[spec.name];
    if (!disk.storage)
        if (auto made = make_disk(spec, disk); !made) return std::unexpected(made.error());
    return &disk;
}

bool ScenarioRun::is_medium(const std::string& disk) const {
    const auto in_drive = [&](const GuestDisk& d) { return d.cdrom && d.disk == disk; };
    return std::ranges::any_of(scenario_.guests,
                               [&](const GuestSpec& g) { return std::ranges::any_of(g.disks, in_drive); }) ||
           std::ranges::any_of(scenario_.changes,
                               [&](const ChangeSpec& c) { return c.kind == ChangeKind::medium && c.disk == disk; });
}

Result<> ScenarioRun::make_disk(const DiskSpec& spec, Disk& made) {
    const blk::StorageInfo info{.bytes = spec.size,
                                .sector_bytes = spec.sector_size,
                                .physical_sector_bytes = spec.sector_size,
                                .read_only = spec.read_only,
                                .discard_granularity = spec.sector_size};
    std::vector<std::byte> label(blk::kUnit);
    std::ranges::copy(std::as_bytes(std::span(spec.name)), label.begin());
    switch (spec.kind) {
        case DiskKind::ram: {
            const auto disk = std::make_shared<blk::RamDisk>(info);
            made.resize = [disk](std::uint64_t bytes) -> Result<> {
                disk->resize(bytes);
                return {};
            };
            if (is_medium(spec.name)) disk->poke(0, label);
            made.storage = disk;
            break;
        }
        case DiskKind::file: {
            auto file = blk::FileDisk::open(spec.path, spec.read_only);
            if (!file) return std::unexpected(file.error());
            made.resize = [disk = *file](std::uint64_t bytes) { return disk->resize(bytes); };
            made.storage = *file;
            break;
        }
        case DiskKind::simulated: {
            constexpr std::uint32_t kSteps = 8;
            const std::uint32_t stream = engine_.add_stream("disk." + spec.name);
            auto disk = std::make_shared<blk::SimDisk>(
                sites_.front().host->control().clock(),
                blk::SimDiskOptions{.info = info,
                                    .latency_min = spec.latency_min,
                                    .latency_step = {(spec.latency_max - spec.latency_min).value / kSteps},
                                    .latency_choices = kSteps,
                                    .volatile_cache = spec.write_cache},
                [this, stream](std::uint32_t n) { return engine_.pick(stream, n); });
            sim_disks_[spec.name] = disk;
            made.resize = [disk](std::uint64_t bytes) -> Result<> {
                disk->resize(bytes);
                return {};
            };
            if (is_medium(spec.name)) disk->poke(0, label);
            made.storage = disk;
            break;
        }
    }
    return {};
}

}  // namespace xenrig::world
