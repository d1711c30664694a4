#include "sim/serve/served_disk.h"

#include <map>

#include "sim/engine/sources.h"
#include "sim/serve/recorder.h"
#include "xenrig/abi/check.h"
#include "xenrig/drivers/blk/blkback.h"
#include "xenrig/drivers/blk/file_disk.h"
#include "xenrig/drivers/blk/wire.h"

namespace xenrig::serve {

namespace {

constexpr unsigned kDevice = 51712;  // xvda (misc/vbd-interface)
/// What the backend finds in its `params` node. Not the image's path: a run must not depend on where the file lies.
constexpr const char* kParams = "image";
/// Room for a ring full of requests with all their pages, and the kernel.
constexpr std::uint64_t kGuestFrames = 1024;

/// Booting takes some ten thousand.
constexpr std::uint64_t kBootStepsMax = 20'000'000;

std::unique_ptr<engine::Source> source_of(const DiskOptions& options) {
    if (options.seed) return std::make_unique<engine::SeededSource>(*options.seed);
    return std::make_unique<engine::MildSource>();
}

void finish(Request& request, Result<> result) {
    request.result = std::move(result);
    const auto done = std::move(request.done);
    if (done) done(request);
}

}  // namespace

Result<std::unique_ptr<ServedDisk>> ServedDisk::open(const DiskOptions& options, Recorder* recorder) {
    auto file = blk::FileDisk::open(options.image, options.read_only);
    if (!file) return std::unexpected(file.error());
    std::unique_ptr<ServedDisk> disk(new ServedDisk(options, std::move(*file), recorder));
    if (auto booted = disk->boot(); !booted) return std::unexpected(booted.error());
    disk->steps_max_ = options.steps_max;
    return disk;
}

ServedDisk::ServedDisk(const DiskOptions& options, std::shared_ptr<blk::Storage> file, Recorder* recorder)
    : steps_max_(kBootStepsMax),
      source_(source_of(options)),
      // Steps are bounded between two quiet moments, not over a server's life.
      engine_(*source_, {.steps_max = ~std::uint64_t{0}}),
      recorder_(recorder),
      storage_(std::make_shared<ImageStorage>(std::move(file),
                                              [this](std::uint64_t ordinal, Errno why) {
                                                  if (recorder_)
                                                      recorder_->storage_failed(engine_.steps(), ordinal, why);
                                              })),
      host_(std::make_unique<toolstack::Host>(engine_, toolstack::HostOptions{})),
      ledger_(
          host_->name(), [this] { return engine_.steps(); },
          [this](std::string rule, std::string how) { engine_.report(std::move(rule), std::move(how)); }),
      tools_(*host_) {
    host_->xen().set_observer(&ledger_);
}

ServedDisk::~ServedDisk() {
    user_.reset();
    // The guest first, for its backend's host must outlive it.
    if (guest_) guest_->kill();
    host_->stop();
    backends_.reset();
    guest_.reset();
    host_.reset();
}

Result<> ServedDisk::until_quiet() {
    engine_.at_step(engine_.steps() + steps_max_, [this]() -> Cpu* {
        engine_.report("livelock", "the world took " + std::to_string(steps_max_) + " steps without going quiet.\n" +
                                       engine_.wait_for_report());
        return nullptr;
    });
    engine_.run();
    if (engine_.problems().empty()) return {};
    const engine::Problem& p = engine_.problems().front();
    return fail(Errno::io, p.oracle + " (step " + std::to_string(p.step) + "): " + p.text);
}

Result<> ServedDisk::boot() {
    if (auto up = until_quiet(); !up) return up;
    guest::Kernel& control = host_->control();
    const auto open_image = [this](const blk::StorageRequest&) -> Result<std::shared_ptr<blk::Storage>> {
        return storage_;
    };
    backends_ = std::make_unique<xenbus::Bus>(
        control, std::map<std::string, xenbus::BackendFactory>{{"vbd", blk::blkback_factory(control, open_image)}});
    control.spawn("backends", TaskRole::work,
                  [this] { check(backends_->start().has_value(), "the control domain may watch its own backends"); });
    if (auto up = until_quiet(); !up) return up;
    build_guest();
    start_user();
    return until_quiet();
}

void ServedDisk::build_guest() {
    toolstack::DomainSpec spec{.name = "guest", .frames = kGuestFrames};
    spec.disks.push_back({kDevice, kParams, read_only()});
    guest_ = std::make_unique<world::Guest>(engine_, std::move(spec));
    host_->spawn_job("xl create guest", [this] {
        const auto domain = tools_.build(guest_->spec());
        if (!domain) return engine_.report("build", domain.error().to_string());
        guest_->bind(*host_, *domain);
        check(host_->xen().unpause(*domain).has_value(), "a built domain is paused once");
    });
}

void ServedDisk::start_user() {
    guest_->kernel().spawn("guest.mount", TaskRole::work, [this] {
        auto disk = guest_->disk(kDevice);
        if (const auto connected = disk->wait_connected(); !connected)
            return engine_.report("device-closed", "the disk did not connect: " + connected.error().to_string());
        const auto user = std::make_shared<DiskUser>(
            guest_->kernel(), std::move(disk),
            [this](const blk::BlkOp& op, const Error& answer) { return storage_->reason(op, answer); });
        if (const auto ready = user->prepare(); !ready)
            return engine_.report("out-of-memory", "the guest's pages for I/O: " + ready.error().to_string());
        user_ = user;
        guest_->kernel().spawn("guest.disk user", TaskRole::service, [user] { user->run(); });
    });
}

Result<> ServedDisk::refusal(const Request& request) const {
    const std::uint64_t length = request.length();
    if (request.offset % blk::kUnit != 0 || length % blk::kUnit != 0)
        return fail(Errno::inval, "a request is whole sectors of 512 bytes");
    if (request.offset > bytes() || length > bytes() - request.offset)
        return fail(Errno::inval, "a request lies inside the disk");
    return {};
}

Result<> ServedDisk::serve(std::span<Request* const> batch) {
    if (!user_) {
        for (Request* request : batch) finish(*request, fail(Errno::io, "the disk is not there any more"));
        return fail(Errno::io, "the disk is not there any more");
    }
    std::vector<Request*> asked;
    for (Request* request : batch) {
        if (auto refused = refusal(*request); !refused) {
            finish(*request, refused);
        } else if (request->length() == 0 && request->kind != Request::Kind::flush) {
            finish(*request, {});
        } else {
            asked.push_back(request);
        }
    }
    if (asked.empty()) return {};
    if (recorder_) recorder_->asked(engine_.steps(), asked);
    for (Request* request : asked) ask(*request);
    auto quiet = until_quiet();
    if (!quiet) fail_unanswered(quiet.error());
    return quiet;
}

void ServedDisk::ask(Request& request) {
    const auto here = unanswered_.insert(unanswered_.end(), &request);
    request.done = [this, here, done = std::move(request.done)](Request& r) {
        unanswered_.erase(here);
        done(r);
    };
    user_->add(request);
}

void ServedDisk::fail_unanswered(const Error& why) {
    ring_requests_ = user_->operations();
    user_.reset();
    // A task that the end found in the middle of something goes on to where it next blocks: that it may still touch, or
    // answer, what it was asked, nobody is told of the end before it is gone.
    guest_->kill();
    while (!unanswered_.empty()) finish(*unanswered_.front(), std::unexpected(why));
}

Result<> ServedDisk::close() {
    if (!user_) return {};
    ring_requests_ = user_->operations();
    user_.reset();
    host_->spawn_job("xl block-detach", [this] {
        if (auto removed = tools_.remove_disk(guest_->domain(), kDevice); !removed)
            engine_.report("unplug", removed.error().to_string());
    });
    return until_quiet();
}

DiskCounts ServedDisk::counts() const {
    const world::Ledger::Counts& seen = ledger_.counts();
    return {.ring_requests = user_ ? user_->operations() : ring_requests_,
            .grant_maps = seen.maps,
            .events_sent = seen.sends,
            .hypercalls = seen.hypercalls};
}

}  // namespace xenrig::serve
