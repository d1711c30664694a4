#include "sim/world/guest.h"

#include <algorithm>
#include <mutex>

#include "xenrig/abi/check.h"
#include "xenrig/platform/machine.h"

namespace xenrig::world {

Result<> SuspendableBus::start(std::unique_ptr<xenbus::Bus> bus) {
    const std::lock_guard held(lock_);
    bus_ = std::move(bus);
    return bus_->start();
}

Result<> SuspendableBus::suspend() {
    lock_.lock();
    if (bus_) bus_->suspend();
    return {};
}

void SuspendableBus::resume(bool cancelled) {
    if (bus_) cancelled ? bus_->cancel_suspend() : bus_->resume();
    lock_.unlock();
}

void SuspendableBus::stop() { bus_.reset(); }

Guest::Guest(Machine& machine, toolstack::DomainSpec spec, BlockFeatures features,
             std::shared_ptr<const Subjects> subjects)
    : machine_(machine), spec_(std::move(spec)), features_(std::move(features)), subjects_(std::move(subjects)) {
    for (unsigned v = 0; v < spec_.vcpus; ++v) cpus_.push_back(&machine.add_cpu(spec_.name + ".v" + std::to_string(v)));
    const toolstack::MemoryPlan plan{spec_.frames};
    kernel_ = std::make_unique<guest::Kernel>(spec_.name, machine, cpus_, plan.layout(),
                                              guest::KernelOptions{.bits = spec_.bits});
    kernel_->control().add(bus_);
    kernel_->spawn_on(VcpuId{0}, spec_.name + ".boot", TaskRole::work, [this] { boot(); });
}

Guest::~Guest() {
    kill();
    kernel_.reset();
    for (Cpu* cpu : cpus_) machine_.remove_cpu(*cpu);
}

void Guest::bind(toolstack::Host& host, DomId domain) {
    kernel_->bind(host.attach(domain, cpus_));
    const std::lock_guard held(bound_lock_);
    host_ = &host;
    domain_ = domain;
    bound_.wake_all();
}

void Guest::set_medium(unsigned number, const std::string& params) {
    std::ranges::find(spec_.disks, number, &toolstack::DiskNodes::number)->params = params;
}

void Guest::wait_bound() {
    const std::lock_guard held(bound_lock_);
    bound_.wait(bound_lock_, [this] { return host_ != nullptr; });
}

void Guest::kill() {
    die();
    bus_.stop();
    disks_.clear();
    subject_disks_.clear();
}

void Guest::die() {
    if (dead_) return;
    dead_ = true;
    for (Cpu* cpu : cpus_) cpu->freeze();
    kernel_->domain_died();
    for (Cpu* cpu : cpus_) cpu->kill();
    // After this the guest's number may belong to somebody else.
    if (host_)
        for (unsigned v = 0; v < spec_.vcpus; ++v) host_->xen().detach_vcpu(domain_, VcpuId{v});
}

void Guest::boot() {
    if (!kernel_->boot()) return check(dead_, "a guest boots on a domain of the toolstack's making");
    if (has_subject()) return start_subjects();
    const auto make_disk = [this](const std::string& path, xenbus::DeviceLink link) {
        auto disk = std::make_shared<blk::Blkfront>(*kernel_, path, std::move(link), features_.frontend());
        disk->on_reopen([this] {
            const std::lock_guard held(disks_lock_);
            disk_found_.wake_all();
        });
        on_disk(disk);
        return disk;
    };
    auto bus =
        std::make_unique<xenbus::Bus>(*kernel_, std::map<std::string, xenbus::FrontendFactory>{{"vbd", make_disk}});
    if (!bus_.start(std::move(bus))) check(dead_, "a guest may watch its own devices");
}

void Guest::start_subjects() {
    for (const toolstack::DiskNodes& d : spec_.disks) {
        const auto disk = std::make_shared<SubjectDisk>(*kernel_, subjects_->frontend(*kernel_, d.number));
        kernel_->control().add(*disk);
        {
            const std::lock_guard held(disks_lock_);
            subject_disks_[d.number] = disk;
            disk_found_.wake_all();
        }
        if (!disk->start()) check(dead_, "a guest may watch its own devices");
    }
}

std::shared_ptr<blk::Disk> Guest::user_disk_after(unsigned number, const blk::Disk* not_this) {
    if (!has_subject()) return disk_after(number, static_cast<const blk::Blkfront*>(not_this));
    const std::lock_guard held(disks_lock_);
    disk_found_.wait(disks_lock_, [&] { return subject_disks_.contains(number); });
    return subject_disks_.at(number);
}

void Guest::on_disk(std::shared_ptr<blk::Blkfront> disk) {
    const std::lock_guard held(disks_lock_);
    const std::string path = disk->path();
    disks_[path] = std::move(disk);
    disk_found_.wake_all();
}

std::shared_ptr<blk::Blkfront> Guest::disk(unsigned number) { return disk_after(number, nullptr); }

std::shared_ptr<blk::Blkfront> Guest::disk_after(unsigned number, const blk::Blkfront* not_this) {
    const std::string path = "device/vbd/" + std::to_string(number);
    const std::lock_guard held(disks_lock_);
    disk_found_.wait(disks_lock_, [&] {
        const auto found = disks_.find(path);
        return found != disks_.end() && (found->second.get() != not_this || !not_this->closed());
    });
    return disks_.at(path);
}

std::shared_ptr<blk::Blkfront> Guest::find_disk(unsigned number) {
    const auto found = disks_.find("device/vbd/" + std::to_string(number));
    return found == disks_.end() ? nullptr : found->second;
}

std::shared_ptr<blk::Disk> Guest::find_user_disk(unsigned number) {
    if (!has_subject()) return find_disk(number);
    const auto found = subject_disks_.find(number);
    return found == subject_disks_.end() ? nullptr : found->second;
}

}  // namespace xenrig::world
