#include "sim/conformance/stage.h"

#include <mutex>

#include "sim/xenstore/daemon.h"
#include "xenrig/abi/check.h"
#include "xenrig/guest/kernel.h"

namespace xenrig::conformance {

namespace {

constexpr std::uint64_t kGuestFrames = 512;
constexpr std::uint64_t kStepsMax = 2'000'000;

/// A disk that says of itself what it is told, and does all: what a request may be is its backend's to see to.
class Labelled final : public blk::Storage {
public:
    Labelled(std::shared_ptr<blk::Storage> inner, const DiskShape& shape, std::shared_ptr<unsigned> secure_discards)
        : inner_(std::move(inner)), shape_(shape), secure_discards_(std::move(secure_discards)) {}
    blk::StorageInfo info() const override {
        blk::StorageInfo info = inner_->info();
        if (shape_.empty) info.bytes = 0;
        info.sector_bytes = shape_.sector_bytes;
        info.physical_sector_bytes = shape_.physical_sector_bytes;
        info.read_only = shape_.read_only;
        info.discard_granularity = shape_.discard_granularity;
        info.can_discard_securely = shape_.secure_discard;
        return info;
    }
    void submit(blk::StorageOpPtr op) override {
        if (op->kind == blk::StorageOp::Kind::discard && op->secure) ++*secure_discards_;
        inner_->submit(std::move(op));
    }
    void watch_size(blk::SizeWatch changed) override { inner_->watch_size(std::move(changed)); }

private:
    std::shared_ptr<blk::Storage> inner_;
    DiskShape shape_;
    std::shared_ptr<unsigned> secure_discards_;
};

std::unique_ptr<engine::Source> source_of(const Conditions& c) {
    if (c.seed && c.stores_late) return std::make_unique<engine::LateSource>(*c.seed);
    if (c.seed) return std::make_unique<engine::SeededSource>(*c.seed);
    return std::make_unique<engine::MildSource>();
}

}  // namespace

Stage::Stage(Verdict& verdict, const Subjects& subjects, Role subject, const Conditions& conditions)
    : verdict_(verdict),
      role_(subject),
      conditions_(conditions),
      source_(source_of(conditions)),
      engine_(*source_, {.model = conditions.model, .steps_max = kStepsMax}) {
    host_up();
    guest_up();
    fill_disk();
    guest::Kernel& control = host_->control();
    subject_platform_ = std::make_unique<WitnessPlatform>(role_ == Role::frontend ? *kernel_ : control);
    if (role_ == Role::frontend) {
        frontend_subject_ = subjects.frontend(*subject_platform_, kDevice);
        backend_ = std::make_unique<blk::RawBackend>(control, guest_, kDevice);
    } else {
        backend_subject_ = subjects.backend(
            *subject_platform_,
            [disk = disk_, shape = conditions_.disk, secure = secure_discards_](const blk::StorageRequest&) {
                return Result<std::shared_ptr<blk::Storage>>(std::make_shared<Labelled>(disk, shape, secure));
            });
        frontend_ = std::make_unique<blk::RawFrontend>(*kernel_, DomId{0}, kDevice);
    }
    if (conditions_.stores_late)
        for (Cpu* cpu : role_ == Role::frontend ? guest_cpus_ : host_->cpus())
            engine_.stores_late(*cpu, [this](const shared::Window& w, std::size_t offset) {
                const shared::Window& ring = frontend_ ? frontend_->ring().page() : backend_->ring().page();
                return ring.size() != 0 && w.host_address(offset / kPageSize * kPageSize) == ring.host_address(0);
            });
    run();
    maps_before_ = ledger_->mappings(DomId{0}, guest_).size();
    ports_before_ = ledger_->ports(role_ == Role::frontend ? guest_ : DomId{0});
}

Stage::~Stage() {
    // As when the power goes: the guest first, for its backend's host must outlive it.
    for (Cpu* cpu : guest_cpus_) cpu->freeze();
    kernel_->domain_died();
    for (Cpu* cpu : guest_cpus_) cpu->kill();
    frontend_subject_.reset();
    frontend_.reset();
    host_->stop();
    backend_subject_.reset();
    backend_.reset();
    subject_platform_.reset();
    kernel_.reset();
    host_->xen().detach_vcpu(guest_, VcpuId{0});
    for (Cpu* cpu : guest_cpus_) engine_.remove_cpu(*cpu);
    tools_.reset();
    disk_.reset();
    host_.reset();
}

void Stage::host_up() {
    host_ = std::make_unique<toolstack::Host>(engine_, toolstack::HostOptions{.name = "a", .frames = 2048});
    ledger_ = std::make_unique<world::Ledger>(
        "a", [this] { return engine_.steps(); },
        [this](std::string rule, std::string how) { engine_.report(std::move(rule), std::move(how)); });
    host_->xen().set_observer(ledger_.get());
    tools_ = std::make_unique<toolstack::Toolstack>(*host_);
    engine_.run();
}

void Stage::guest_up() {
    const toolstack::DomainSpec spec{.name = "guest", .frames = kGuestFrames};
    guest_cpus_.push_back(&engine_.add_cpu("guest.v0"));
    kernel_ =
        std::make_unique<guest::Kernel>("guest", engine_, guest_cpus_, toolstack::MemoryPlan{kGuestFrames}.layout());
    kernel_->spawn_on(VcpuId{0}, "guest.boot", TaskRole::work,
                      [this] { check(kernel_->boot().has_value(), "a guest boots on a domain that was just built"); });
    host_->spawn_job("xl create", [this, spec] {
        const auto domain = tools_->build(spec);
        check(domain.has_value(), "a domain is built on an empty host");
        guest_ = *domain;
        const toolstack::DiskNodes disk{.number = kDevice, .params = "disk", .read_only = conditions_.disk.read_only};
        check(tools_->add_disk(guest_, disk).has_value(), "a disk is added to a new domain");
        if (conditions_.neighbour)
            check(tools_->add_disk(guest_, {.number = kNeighbour, .params = "disk"}).has_value(), "and a second one");
        hypervisor::Hypervisor& xen = host_->xen();
        xen.attach_vcpu(guest_, VcpuId{0}, *guest_cpus_[0]);
        kernel_->bind({{&xen.hypercalls(guest_, VcpuId{0})}, &xen.address_space(guest_), guest_});
        check(xen.unpause(guest_).has_value(), "a built domain is paused once");
    });
    engine_.run();
    history_ = std::make_unique<StoreHistory>(host_->store().daemon().store(), frontend_path(), backend_path());
}

std::string Stage::frontend_path() const {
    return "/local/domain/" + std::to_string(guest_.value) + "/device/vbd/" + std::to_string(kDevice);
}

std::string Stage::backend_path() const {
    return "/local/domain/0/backend/vbd/" + std::to_string(guest_.value) + '/' + std::to_string(kDevice);
}

std::string Stage::backend_error_path() const {
    return "/local/domain/0/error/backend/vbd/" + std::to_string(guest_.value) + '/' + std::to_string(kDevice) +
           "/error";
}

std::string Stage::frontend_error_path() const {
    return "/local/domain/" + std::to_string(guest_.value) + "/error/device/vbd/" + std::to_string(kDevice) + "/error";
}

void Stage::fill_disk() {
    const std::uint32_t stream = engine_.add_stream("disk");
    disk_ = std::make_shared<blk::SimDisk>(
        host_->control().clock(),
        blk::SimDiskOptions{.info = {.bytes = kSectors * 512, .discard_granularity = 512}, .latency_choices = 4},
        [this, stream](std::uint32_t n) { return engine_.pick(stream, n); });
    disk_->poke(0, blk::sector_pattern(0, kSectors));
}

/// Until all is quiet or the script wants to go on; false when the engine found something.
bool Stage::run() {
    engine_.run_until([this] {
        if (history_) history_->sample();
        return false;
    });
    if (engine_.problems().empty()) return true;
    const engine::Problem& p = engine_.problems().front();
    expect(false, p.oracle + ": " + p.text);
    return false;
}

std::string Stage::conditions() const {
    if (!conditions_.seed) return "with the mildest choices";
    return "with seed " + std::to_string(*conditions_.seed) + " and memory model " + engine::name(conditions_.model) +
           (conditions_.stores_late ? ", stores late" : "");
}

bool Stage::expect(bool holds, std::string_view clause, const std::function<std::string()>& seen) {
    return verdict_.expect(holds, clause, [&] { return (seen ? seen() + ", " : std::string()) + conditions(); });
}

void Stage::play(const std::function<void(Stage&)>& script) {
    if (failed()) return;
    guest::Kernel& home = role_ == Role::frontend ? host_->control() : *kernel_;
    home.spawn("script", TaskRole::service, [this, &script] {
        script(*this);
        script_over_ = true;
    });
    for (;;) {
        if (!run()) return;
        if (script_over_) return;
        if (!settling_) return verdict_.error("the script waits for ever.\n" + engine_.wait_for_report());
        settling_ = false;
        settled_.wake_all();
    }
}

void Stage::settle() {
    const std::lock_guard held(settling_lock_);
    settling_ = true;
    settled_.wait(settling_lock_, [this] { return !settling_; });
}

void Stage::start_subject() {
    if (std::exchange(started_, true)) return;
    subject_platform_->spawn("subject", TaskRole::service, [this] {
        const Result<> started = role_ == Role::frontend ? frontend_subject_->start() : backend_subject_->start();
        if (!started) verdict_.error("the subject can't be started: " + started.error().to_string());
    });
}

void Stage::as_toolstack(std::function<void(Store&)> job) {
    host_->spawn_job("toolstack", [this, job = std::move(job)] { job(host_->control().store()); });
    settle();
}

bool Stage::connect_frontend() {
    start_subject();
    settle();
    frontend().make_ring();
    frontend().publish();
    frontend().state(3);
    settle();
    if (!expect(frontend().backend_state() == "4", "the backend connects with a frontend that does all as usual",
                [this] { return "the backend's state is " + frontend().backend_state(); }))
        return false;
    frontend().state(4);
    settle();
    return true;
}

bool Stage::offer_backend(const Nodes& features, const Nodes& properties) {
    start_subject();
    settle();
    for (const auto& [name, value] : features) backend().write(name, value);
    backend().state(2);
    settle();
    const Result<> joined = backend().join();
    if (!expect(joined.has_value(), "the frontend publishes a ring and a port that the backend can join",
                [&] { return joined.error().to_string(); }))
        return false;
    backend().ask_for_event();
    for (const auto& [name, value] : properties) backend().write(name, value);
    backend().state(4);
    settle();
    return true;
}

bool Stage::connect_backend(const Nodes& features, const Nodes& properties) {
    return offer_backend(features, properties) &&
           expect(backend().frontend_state() == "4", "the frontend connects with a backend that does all as usual",
                  [this] { return "the frontend's state is " + backend().frontend_state(); });
}

Nodes usual_properties(std::uint64_t sectors, unsigned info) {
    return {{"sectors", std::to_string(sectors)},
            {"sector-size", "512"},
            {"physical-sector-size", "512"},
            {"info", std::to_string(info)}};
}

UserCallPtr Stage::call(const char* what, std::function<void(FrontendSubject&, UserCall&)> body) {
    auto made = std::make_shared<UserCall>();
    kernel_->spawn(what, TaskRole::service, [this, made, body = std::move(body)] {
        body(*frontend_subject_, *made);
        made->over = true;
    });
    return made;
}

UserCallPtr Stage::wait_connected() {
    return call("user waits", [](FrontendSubject& subject, UserCall& c) {
        const auto seen = subject.wait_connected();
        if (seen)
            c.disk = *seen;
        else
            c.result = std::unexpected(seen.error());
    });
}

UserCallPtr Stage::read(std::uint64_t sector, unsigned sectors, unsigned first) {
    return call("user reads", [=](FrontendSubject& subject, UserCall& c) {
        c.data.resize(sectors * 512);
        c.result = subject.transfer({.write = false, .sector = sector, .data = c.data, .first = first});
    });
}

UserCallPtr Stage::write(std::uint64_t sector, std::vector<std::byte> data, unsigned first) {
    return call("user writes", [sector, first, data = std::move(data)](FrontendSubject& subject, UserCall& c) {
        c.data = data;
        c.result = subject.transfer({.write = true, .sector = sector, .data = c.data, .first = first});
    });
}

UserCallPtr Stage::flush() {
    return call("user flushes", [](FrontendSubject& subject, UserCall& c) { c.result = subject.flush(); });
}

UserCallPtr Stage::discard(std::uint64_t sector, std::uint64_t sectors, bool secure) {
    return call("user discards",
                [=](FrontendSubject& subject, UserCall& c) { c.result = subject.discard(sector, sectors, secure); });
}

UserCallPtr Stage::as_user(std::function<Result<>()> asks) {
    return call("user", [asks = std::move(asks)](FrontendSubject&, UserCall& c) { c.result = asks(); });
}

std::size_t Stage::grants() const { return kernel_->grants().grants_in_use(); }

std::vector<std::byte> Stage::on_disk(std::uint64_t sector, std::uint64_t sectors) const {
    std::vector<std::byte> out(sectors * 512);
    disk_->peek(sector * 512, out);
    return out;
}

bool Stage::disk_untouched(std::uint64_t but, std::uint64_t sectors) const {
    return on_disk(0, but) == blk::sector_pattern(0, but) &&
           on_disk(but + sectors, kSectors - but - sectors) ==
               blk::sector_pattern(but + sectors, kSectors - but - sectors);
}

std::size_t Stage::ports() const { return ledger_->ports(role_ == Role::frontend ? guest_ : DomId{0}) - ports_before_; }

bool Stage::is_subject_running() const {
    const bool in_guest = scheduler->current_cpu() == guest_cpus_[0];
    return scheduler->current_cpu() != nullptr && in_guest == (role_ == Role::frontend);
}

std::unique_ptr<SlotRewriter> Stage::rewrite_after_read(const shared::Window& page, std::size_t offset,
                                                        std::vector<std::byte> bytes) {
    return std::make_unique<SlotRewriter>(page, offset, std::move(bytes), [this] { return is_subject_running(); });
}

std::unique_ptr<SlotRewriter> Stage::rewrite_after_read(const blk::RawRing& ring, std::uint32_t index,
                                                        std::vector<std::byte> bytes) {
    return rewrite_after_read(ring.page(), ring.place(index), std::move(bytes));
}

void Stage::power_cut() { disk_->power_cut(); }

}  // namespace xenrig::conformance
