// A hostile driver domain against blkfront: three disks of one guest, and a fourth that an honest backend serves.
#include <array>

#include "sim/fuzz/blk_target.h"
#include "sim/fuzz/byte_source.h"
#include "sim/fuzz/hostile_backend.h"
#include "sim/fuzz/play_meter.h"
#include "sim/fuzz/stage.h"
#include "sim/protocols/blk/raw_ring.h"
#include "sim/world/guest.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

namespace {

constexpr std::array kSettings = {
    BackendSetting{.device = 51712},
    BackendSetting{.device = 51728, .features = true, .persistent = true},
    BackendSetting{.device = 51744, .features = true, .page_order = 1, .queues = 2},
};
constexpr unsigned kHonestDevice = 51760;
constexpr std::uint64_t kHonestSector = 5;
constexpr std::uint64_t kVictimFrames = 512;

class BlkfrontPlay final : public Play {
public:
    BlkfrontPlay() {
        stage_.start_backends();
        stage_.add_disk("honest");
        hostile_ = &stage_.add_guest("hostile", {});
        build_victim();
        users_ = std::make_unique<UserOperations>(victim_->kernel(),
                                                  [this](unsigned device) { return victim_->find_disk(device); });
        for (std::size_t i = 0; i < kSettings.size(); ++i)
            peers_[i] = std::make_unique<HostileBackend>(world(), kSettings[i]);
        check(stage_.play(*hostile_->kernel, "hostile.boot",
                          [this] {
                              for (auto& peer : peers_) peer->connect();
                          }),
              "a hostile backend that does all as usual connects");
        for (const auto& peer : peers_)
            check(state_of(peer->device()) == "4", "blkfront connects with a backend that does all as usual");
        check(state_of(kHonestDevice) == "4", "the honest disk connects");
    }

    ~BlkfrontPlay() override {
        late_.clear();
        victim_->kill();
    }

    PlayReport run(std::span<const std::byte> bytes) override {
        Input input(bytes);
        const std::uint8_t options = input.byte();
        PlayMeter meter(stage_);
        const std::uint8_t choices_bytes = input.byte();
        const std::string choices = input.take(choices_bytes);
        source_.begin(std::as_bytes(std::span(choices)));
        stage_.engine().renew_choices();

        HostileBackend& peer = *peers_[(options & kDeviceMask) % peers_.size()];
        PlayReport report;
        bool well = stage_.play(*hostile_->kernel, "hostile", [&] {
            while (!input.empty() && report.acts < kActsMax) {
                peer.act(input);
                ++report.acts;
            }
            stage_.settle();
        });
        report.late_writes = late_.done();
        late_.clear();
        well = well && stage_.until_quiet();
        report.state = state_of(peer.device());
        if (well) check_users(peer.device());
        well = well && stage_.engine().problems().empty() && honest_disk_serves();
        if (well && (options & kDestroyed) != 0) check_nothing_is_left();
        meter.finish(report);
        return report;
    }

    std::vector<std::span<std::byte>> memory() override { return stage_.memory(); }

private:
    void build_victim() {
        std::vector<toolstack::DiskNodes> disks;
        disks.reserve(kSettings.size() + 1);
        for (const BackendSetting& s : kSettings) disks.push_back(nodes_of(s.device));
        disks.push_back({.number = kHonestDevice, .params = "honest"});
        victim_ = std::make_unique<world::Guest>(
            stage_.engine(), toolstack::DomainSpec{.name = "victim", .frames = kVictimFrames, .disks = disks});
        stage_.as_toolstack("xl create", [this] {
            const auto domain = stage_.tools().build(victim_->spec());
            check(domain.has_value(), "a domain is built on a new host");
            victim_->bind(stage_.host(), *domain);
            check(stage_.host().xen().unpause(*domain).has_value(), "a built domain is paused once");
        });
    }

    toolstack::DiskNodes nodes_of(unsigned device) const {
        return {.number = device, .params = "hostile", .backend = hostile_->domain};
    }

    HostileBackend::World world() {
        return {.platform = *hostile_->kernel,
                .frontend = victim_->domain(),
                .late = late_,
                .users = *users_,
                .settle = [this] { stage_.settle(); },
                .step_aside = [this] { stage_.step_aside(); },
                .detach = [this](unsigned device) { detach(device); },
                .replug = [this](unsigned device) { replug(device); }};
    }

    /// Whether it ends depends on the backend.
    void detach(unsigned device) {
        stage_.control().spawn("xl block-detach", TaskRole::service,
                               [this, device] { (void)stage_.tools().remove_disk(victim_->domain(), device); });
    }

    void replug(unsigned device) {
        stage_.control().spawn("xl block-attach", TaskRole::service, [this, device] {
            (void)stage_.tools().force_remove_disk(victim_->domain(), device);
            (void)stage_.tools().add_disk(victim_->domain(), nodes_of(device));
        });
        stage_.settle();
    }

    std::string state_of(unsigned device) {
        return stage_.peek("/local/domain/" + std::to_string(victim_->domain().value) + "/device/vbd/" +
                           std::to_string(device) + "/state");
    }

    void check_users(unsigned device) {
        if (const std::string twice = users_->answered_twice(); !twice.empty()) stage_.broken("one-answer", twice);
        if (state_of(device) == "6" && users_->outstanding() != 0)
            stage_.broken("unanswered", "the device is closed, and " + std::to_string(users_->outstanding()) +
                                            " operations of its users have no answer");
    }

    bool honest_disk_serves() {
        return stage_.play(victim_->kernel(), "witness", [this] {
            const auto disk = victim_->find_disk(kHonestDevice);
            if (!disk) return stage_.broken("other-device", "the guest's other disk is gone");
            const std::vector<std::byte> data = blk::sector_pattern(kHonestSector + 100);
            std::vector<std::byte> back(data.size());
            if (!disk->write(kHonestSector, data) || !disk->read(kHonestSector, back))
                return stage_.broken("other-device", "the guest's other disk is not served any more");
            if (back != data) stage_.broken("data", "the guest's other disk has lost what was written");
        });
    }

    /// The disks of the hostile backend go, and it dies: all operations end, and every page and grant is free again.
    void check_nothing_is_left() {
        stage_.as_toolstack("xl block-detach --force", [this] {
            for (const auto& peer : peers_)
                // One that was detached is gone already.
                (void)stage_.tools().force_remove_disk(victim_->domain(), peer->device());
        });
        if (!stage_.engine().problems().empty()) return;
        if (users_->outstanding() != 0)
            return stage_.broken("unanswered", "the device is gone, and " + std::to_string(users_->outstanding()) +
                                                   " operations of its users have no answer");
        stage_.destroy(*hostile_);
        if (const std::string wrong = stage_.host().xen().audit(); !wrong.empty()) stage_.broken("hypervisor", wrong);
    }

    ByteSource source_;
    Stage stage_{source_};
    BareGuest* hostile_ = nullptr;
    LateWrites late_{
        [this] { return scheduler->current_cpu() != nullptr && scheduler->current_cpu() != hostile_->cpus[0]; }};
    std::unique_ptr<world::Guest> victim_;
    std::unique_ptr<UserOperations> users_;
    std::array<std::unique_ptr<HostileBackend>, kSettings.size()> peers_;
};

}  // namespace

std::unique_ptr<Play> make_blkfront_play() { return std::make_unique<BlkfrontPlay>(); }

}  // namespace xenrig::fuzz
