#include "sim/fuzz/stage.h"

#include <charconv>
#include <mutex>

#include "sim/fuzz/guarded_disk.h"
#include "sim/fuzz/peer_values.h"
#include "sim/hypervisor/machine_memory.h"
#include "sim/protocols/blk/raw_ring.h"
#include "sim/world/failing_hypercall.h"
#include "sim/xenstore/store.h"
#include "xenrig/abi/check.h"
#include "xenrig/drivers/blk/blkback.h"

#include <xen/xen.h>

#include <xen/hvm/params.h>

namespace xenrig::fuzz {

namespace {

constexpr std::uint64_t kGuestFrames = 256;
/// Of a world's whole life; an input of a few hundred bytes takes some tens of thousands.
constexpr std::uint64_t kStepsMax = 2'000'000;

/// The number at the end of "backend/vbd/3/51712".
unsigned device_of(const std::string& path) {
    unsigned number = 0;
    const std::size_t at = path.rfind('/') + 1;
    (void)std::from_chars(path.data() + at, path.data() + path.size(), number);
    return number;
}

/// Of a toolstack or a kernel: without these nobody could say what went wrong.
bool made_for_the_store() {
    const Task* task = scheduler ? scheduler->current_task() : nullptr;
    if (!task) return true;
    const std::string& name = task->name();
    return name == "xenstored" || name.starts_with("xl") || name.ends_with(".xenstore") || name.ends_with(".xenwatch");
}

}  // namespace

Stage::Stage(engine::Source& source) : engine_(source, {.steps_max = kStepsMax}) {
    host_ = std::make_unique<toolstack::Host>(engine_, toolstack::HostOptions{.name = "a", .frames = 2048});
    ledger_ = std::make_unique<world::Ledger>(
        "a", [this] { return engine_.steps(); },
        [this](std::string rule, std::string how) { broken(std::move(rule), std::move(how)); });
    host_->xen().set_observer(ledger_.get());
    tools_ = std::make_unique<toolstack::Toolstack>(*host_);
    engine_.run();
}

void Stage::power_off() {
    // The guests first, for their backends' host must outlive them.
    for (auto& guest : guests_)
        if (!guest->dead) end(*guest);
    host_->stop();
}

Stage::~Stage() {
    power_off();
    backends_.reset();
    subject_.reset();
    for (auto& guest : guests_) {
        guest->kernel.reset();
        for (Cpu* cpu : guest->cpus) engine_.remove_cpu(*cpu);
    }
    tools_.reset();
    disks_.clear();
    host_.reset();
}

blk::SimDisk& Stage::add_disk(const std::string& name, const DiskKind& kind) {
    const std::uint32_t stream = engine_.add_stream("disk." + name);
    const auto disk =
        std::make_shared<blk::SimDisk>(control().clock(),
                                       blk::SimDiskOptions{.info = {.bytes = kSectors * 512,
                                                                    .sector_bytes = kind.sector_bytes,
                                                                    .physical_sector_bytes = kind.sector_bytes,
                                                                    .discard_granularity = kind.sector_bytes},
                                                           .latency_choices = 4,
                                                           .error_one_in = kind.error_one_in},
                                       [this, stream](std::uint32_t n) { return engine_.pick(stream, n); });
    disk->poke(0, blk::sector_pattern(0, kSectors));
    disks_[name] = {disk, kind};
    return *disk;
}

Result<std::shared_ptr<blk::Storage>> Stage::open(const blk::StorageRequest& request) {
    const auto found = disks_.find(request.params);
    if (found == disks_.end()) return fail(Errno::noent, "there is no disk '" + request.params + "'");
    return std::make_shared<GuardedDisk>(
        found->second.storage, request.params, found->second.kind.read_only,
        [this](std::string rule, std::string how) { broken(std::move(rule), std::move(how)); });
}

void Stage::start_backends(const std::shared_ptr<const world::Subjects>& subject) {
    const blk::StorageFactory open_storage = [this](const blk::StorageRequest& r) { return open(r); };
    if (subject)
        subject_ = subject->backend(control(), open_storage);
    else
        backends_ = std::make_unique<xenbus::Bus>(
            control(), std::map<std::string, xenbus::BackendFactory>{
                           {"vbd", [this, open_storage](const std::string& path, xenbus::DeviceLink link) {
                                const unsigned device = device_of(path);
                                const blk::BlkbackOptions options =
                                    options_.contains(device) ? options_[device] : blk::BlkbackOptions{};
                                return std::make_shared<blk::Blkback>(control(), path, std::move(link), open_storage,
                                                                      options);
                            }}});
    control().spawn("backends", TaskRole::work, [this] {
        const bool started = (subject_ ? subject_->start() : backends_->start()).has_value();
        check(started, "the control domain may watch its own backends");
    });
    engine_.run();
}

BareGuest& Stage::add_guest(const std::string& name, std::vector<toolstack::DiskNodes> disks) {
    BareGuest& guest = *guests_.emplace_back(std::make_unique<BareGuest>());
    guest.cpus.push_back(&engine_.add_cpu(name + ".v0"));
    guest.kernel =
        std::make_unique<guest::Kernel>(name, engine_, guest.cpus, toolstack::MemoryPlan{kGuestFrames}.layout());
    guest.kernel->spawn_on(VcpuId{0}, name + ".boot", TaskRole::work, [&guest] {
        check(guest.kernel->boot().has_value(), "a guest boots on a domain that was just built");
    });
    as_toolstack("xl create", [this, &guest, &name, &disks] {
        const auto domain = tools_->build({.name = name, .frames = kGuestFrames, .disks = disks});
        check(domain.has_value(), "a domain is built on a new host");
        guest.domain = *domain;
        hypervisor::Hypervisor& xen = host_->xen();
        xen.attach_vcpu(guest.domain, VcpuId{0}, *guest.cpus[0]);
        guest.kernel->bind(
            {{&xen.hypercalls(guest.domain, VcpuId{0})}, &xen.address_space(guest.domain), guest.domain});
        check(xen.unpause(guest.domain).has_value(), "a built domain is paused once");
    });
    return guest;
}

void Stage::as_toolstack(const std::string& what, const std::function<void()>& job) {
    host_->spawn_job(what, job);
    engine_.run();
}

void Stage::end(BareGuest& guest) {
    for (Cpu* cpu : guest.cpus) cpu->freeze();
    guest.kernel->domain_died();
    for (Cpu* cpu : guest.cpus) cpu->kill();
    host_->xen().detach_vcpu(guest.domain, VcpuId{0});
    guest.dead = true;
}

void Stage::destroy(BareGuest& guest) {
    destroy(guest.domain, [&] { end(guest); });
}

void Stage::destroy(DomId domain, const std::function<void()>& die) {
    die();
    as_toolstack("xl destroy", [this, domain] {
        auto gone = tools_->destroy(domain);
        // A detach that waited for the domain has taken a disk away meanwhile.
        if (!gone && gone.error().code == Errno::noent) gone = tools_->destroy(domain);
        if (!gone) broken("destroy", gone.error().to_string());
    });
}

bool Stage::until_quiet() {
    engine_.run();
    return engine_.problems().empty();
}

void Stage::fail_hypercall(DomId domain, unsigned after) {
    const auto store_port = host_->xen().get_param(domain, HVM_PARAM_STORE_EVTCHN);
    host_->xen().set_fault([domain, store = store_port.value_or(0), left = std::make_shared<unsigned>(after + 1)](
                               DomId by, unsigned number, const HypercallArgs& args,
                               hypervisor::GuestAccess& caller) -> std::optional<std::int64_t> {
        if (*left == 0 || by != domain || made_for_the_store()) return {};
        if (!world::takes_or_tells(number, args, caller, store) || --*left != 0) return {};
        return -static_cast<std::int64_t>(Errno::nomem);
    });
}

bool Stage::play(Platform& home, const std::string& name, std::function<void()> script) {
    // The script's own: it may be ended in the middle, long after this has returned.
    const auto over = std::make_shared<bool>(false);
    home.spawn(name, TaskRole::service, [over, script = std::move(script)] {
        script();
        *over = true;
    });
    while (until_quiet()) {
        if (*over) return true;
        if (!settling_) {
            broken("script", "the script waits for ever.\n" + engine_.wait_for_report());
            return false;
        }
        settling_ = false;
        settled_.wake_all();
    }
    return false;
}

void Stage::settle() {
    const std::lock_guard held(settling_lock_);
    settling_ = true;
    settled_.wait(settling_lock_, [this] { return !settling_; });
}

std::vector<std::span<std::byte>> Stage::memory() {
    return {host_->xen().memory().pages(), host_->xen().memory().frame_table()};
}

std::string Stage::peek(const std::string& path) {
    const xenstore::Node* node = host_->store().daemon().store().tree().find(path);
    return node ? std::string(node->value()) : std::string();
}

}  // namespace xenrig::fuzz
