// The inside of a machine in a world: a kernel, its bus of frontends, its disks. It outlives the domains that it lives
// in.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sim/toolstack/toolstack.h"
#include "sim/world/block_features.h"
#include "sim/world/subject_disk.h"
#include "xenrig/drivers/blk/blkfront.h"
#include "xenrig/guest/kernel.h"
#include "xenrig/platform/suspendable.h"
#include "xenrig/xenbus/bus.h"

namespace xenrig::world {

/// A bus that is suspended with its guest. Suspend and resume run in one task, which holds the lock in between: a bus
/// that is about to start waits until the guest runs again.
class SuspendableBus final : public Suspendable {
public:
    Result<> start(std::unique_ptr<xenbus::Bus> bus);
    std::string_view name() const override { return "xenbus"; }
    Result<> suspend() override;
    void resume(bool cancelled) override;
    /// The domain is dead, or about to end in order.
    void stop();

private:
    Lock lock_{"bus suspend"};
    std::unique_ptr<xenbus::Bus> bus_;
};

class Guest {
public:
    /// With a subject, that is the frontend of each of its disks.
    Guest(Machine& machine, toolstack::DomainSpec spec, BlockFeatures features = {},
          std::shared_ptr<const Subjects> subjects = nullptr);
    ~Guest();
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    const std::string& name() const { return spec_.name; }
    const toolstack::DomainSpec& spec() const { return spec_; }
    /// What the toolstack has put into a drive: goes with the guest wherever it moves.
    void set_medium(unsigned number, const std::string& params);
    guest::Kernel& kernel() { return *kernel_; }

    /// Where it lives now; null before its first domain.
    toolstack::Host* host() const { return host_; }
    DomId domain() const { return domain_; }

    /// Ties it to a domain that is paused: at the start, and in a move.
    void bind(toolstack::Host& host, DomId domain);
    /// Blocks the calling task, which may be another guest's, until it has a domain.
    void wait_bound();
    /// Without a goodbye: the epoch ends, then the tasks unwind with every hypercall refused. From outside any task.
    void die();
    bool dead() const { return dead_; }
    /// die(), and then the devices go. The kernel stays for those who hold frames of it.
    void kill();

    /// Blocks the calling task until the bus has found the device; then it may still be connecting.
    std::shared_ptr<blk::Blkfront> disk(unsigned number);
    /// The same, but one that has taken the place of `not_this`, or that one when it has come back.
    std::shared_ptr<blk::Blkfront> disk_after(unsigned number, const blk::Blkfront* not_this);
    /// disk_after(), or the subject's disk.
    std::shared_ptr<blk::Disk> user_disk_after(unsigned number, const blk::Disk* not_this);
    /// From outside a task; null when it has not appeared. A subject's is there from the boot on.
    std::shared_ptr<blk::Blkfront> find_disk(unsigned number);
    std::shared_ptr<blk::Disk> find_user_disk(unsigned number);

private:
    void boot();
    void start_subjects();
    bool has_subject() const { return subjects_ && subjects_->frontend; }
    void on_disk(std::shared_ptr<blk::Blkfront> disk);

    Machine& machine_;
    toolstack::DomainSpec spec_;
    BlockFeatures features_;
    std::shared_ptr<const Subjects> subjects_;
    std::vector<Cpu*> cpus_;
    std::unique_ptr<guest::Kernel> kernel_;
    SuspendableBus bus_;
    toolstack::Host* host_ = nullptr;
    DomId domain_{};
    bool dead_ = false;

    Lock bound_lock_{"guest's domain"};
    WaitQueue bound_{"the guest's first domain"};
    Lock disks_lock_{"guest's disks"};
    WaitQueue disk_found_{"a disk on the bus"};
    std::map<std::string, std::shared_ptr<blk::Blkfront>> disks_;
    std::map<unsigned, std::shared_ptr<SubjectDisk>> subject_disks_;
};

}  // namespace xenrig::world
