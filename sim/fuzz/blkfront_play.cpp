// A hostile driver domain against blkfront: five disks of one guest, and a sixth that an honest backend serves.
#include <array>

#include "sim/fuzz/arena.h"
#include "sim/fuzz/hostile_backend.h"
#include "sim/protocols/blk/raw_ring.h"
#include "sim/world/guest.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

namespace {

constexpr std::array kSettings = {
    BackendSetting{.device = 51712},
    BackendSetting{.device = 51728, .features = true, .persistent = true},
    BackendSetting{.device = 51744, .features = true, .page_order = 1, .queues = 2},
    BackendSetting{.device = 51776, .drive = true},
    BackendSetting{.device = 51792, .features = true, .sector_bytes = 4096},
};
constexpr unsigned kHonestDevice = 51760;
constexpr std::uint64_t kHonestSector = 5;
constexpr std::uint64_t kVictimFrames = 512;

class BlkfrontPlay final : public Play {
public:
    explicit BlkfrontPlay(SubjectPtr subject) : subject_(std::move(subject)) {
        stage_.start_backends();
        stage_.add_disk("honest", {});
        hostile_ = &stage_.add_guest("hostile", {});
        arena_.set_hostile(*hostile_);
        ports_without_ = stage_.ledger().ports(hostile_->domain);
        build_victim();
        users_ = std::make_unique<UserOperations>(victim_->kernel(), [this](unsigned device) { return disk(device); });
        for (std::size_t i = 0; i < kSettings.size(); ++i)
            peers_[i] = std::make_unique<HostileBackend>(world(), kSettings[i]);
        check(stage_.play(*hostile_->kernel, "hostile.boot",
                          [this] {
                              for (auto& peer : peers_) peer->connect();
                          }),
              "a hostile backend that does all as usual connects");
        for (const auto& peer : peers_)
            check(state_of(peer->device()) == "4" || subject_,
                  "blkfront connects with a backend that does all as usual");
        check(state_of(kHonestDevice) == "4" || subject_, "the honest disk connects");
    }

    ~BlkfrontPlay() override {
        users_->let_go();
        arena_.late().clear();
        victim_->kill();
        stage_.power_off();
    }

    PlayReport run(std::span<const std::byte> input) override {
        return arena_.play(input, {.devices = peers_.size(),
                                   .act = [this](std::size_t i, Input& in) { peers_[i]->act(in); },
                                   .end_of_acts = [](std::size_t) {},
                                   .state_of = [this](std::size_t i) { return state_of(peers_[i]->device()); },
                                   .check_device = [this](std::size_t i) { check_users(*peers_[i]); },
                                   .other_device_serves = [this] { return honest_disk_serves(); },
                                   .check_nothing_is_left = [this] { check_nothing_is_left(); }});
    }

    std::vector<std::span<std::byte>> memory() override { return stage_.memory(); }

private:
    void build_victim() {
        std::vector<toolstack::DiskNodes> disks;
        disks.reserve(kSettings.size() + 1);
        for (const BackendSetting& s : kSettings) disks.push_back(nodes_of(s.device));
        disks.push_back({.number = kHonestDevice, .params = "honest"});
        victim_ = std::make_unique<world::Guest>(
            stage_.engine(), toolstack::DomainSpec{.name = "victim", .frames = kVictimFrames, .disks = disks},
            world::BlockFeatures{}, subject_);
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
        return {
            .platform = *hostile_->kernel,
            .frontend = victim_->domain(),
            .late = arena_.late(),
            .users = *users_,
            .settle = [this] { stage_.settle(); },
            .step_aside = [this] { stage_.step_aside(); },
            .detach = [this](unsigned device) { arena_.detach(victim_->domain(), device); },
            .replug = [this](unsigned device) { replug(device); },
            .fail_hypercall = [this](unsigned after) { stage_.fail_hypercall(victim_->domain(), after); },
            .broken = [this](std::string rule, std::string how) { stage_.broken(std::move(rule), std::move(how)); }};
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

    /// As the victim's users have it: null when there is none. To them a subject's is there as long as its directory.
    std::shared_ptr<blk::Disk> disk(unsigned device) {
        return state_of(device).empty() && subject_ ? nullptr : victim_->find_user_disk(device);
    }

    void check_users(const HostileBackend& peer) {
        users_->let_go();
        if (!stage_.until_quiet()) return;
        if (const std::string twice = users_->answered_twice(); !twice.empty()) stage_.broken("one-answer", twice);
        if (const std::string wrong = peer.told_too_well(); !wrong.empty()) stage_.broken("told-too-well", wrong);
        if (state_of(peer.device()) == "6" && users_->outstanding() != 0)
            stage_.broken("unanswered", "the device is closed, and " + std::to_string(users_->outstanding()) +
                                            " operations of its users have no answer");
    }

    bool honest_disk_serves() {
        // Where users of the other disk wait for ever with all of the guest's memory, nobody can do anything.
        if (users_->pages_held() > kVictimFrames / 4) return true;
        return stage_.play(victim_->kernel(), "witness", [this] {
            const auto honest = disk(kHonestDevice);
            if (!honest) return stage_.broken("other-device", "the guest's other disk is gone");
            const std::vector<std::byte> data = blk::sector_pattern(kHonestSector + 100);
            std::vector<std::byte> back(data.size());
            if (!honest->write(kHonestSector, data) || !honest->read(kHonestSector, back))
                return stage_.broken("other-device", "the guest's other disk is not served any more");
            if (back != data) stage_.broken("data", "the guest's other disk has lost what was written");
        });
    }

    /// The disks of the hostile backend go, it dies, and the honest disk goes: all operations end, and every page, port
    /// and grant is free again.
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
        users_->forget();
        stage_.as_toolstack("xl block-detach", [this] {
            if (auto gone = stage_.tools().remove_disk(victim_->domain(), kHonestDevice); !gone)
                stage_.broken("other-device", gone.error().to_string());
        });
        if (!stage_.engine().problems().empty()) return;
        end_late_grants();
        const auto left = [this](const char* what, std::size_t n) {
            if (n != 0)
                stage_.broken("leak",
                              "the guest has " + std::to_string(n) + " " + what + " left after its disks are gone");
        };
        left("grants", victim_->kernel().grants().grants_in_use());
        left("frames", victim_->kernel().memory().frames_in_use());
        left("ports", stage_.ledger().ports(victim_->domain()) - ports_without_);
        if (const std::string wrong = stage_.host().xen().audit(); !wrong.empty()) stage_.broken("hypervisor", wrong);
    }

    /// What the backend let go of late is given back at the next uses of the grant table, some at each.
    void end_late_grants() {
        (void)stage_.play(victim_->kernel(), "grants", [this] {
            guest::Kernel& kernel = victim_->kernel();
            const auto frame = kernel.memory().allocate();
            for (std::size_t left = kernel.grants_to_end() + 1; frame && left != 0;) {
                (void)kernel.grants().grant(DomId{0}, (*frame)->gfn(), Access::read_only);
                const std::size_t now = kernel.grants_to_end();
                left = now < left ? now : 0;
            }
        });
    }

    /// Keeps the code of a library loaded: it goes last.
    const SubjectPtr subject_;
    Arena arena_;
    Stage& stage_ = arena_.stage();
    BareGuest* hostile_ = nullptr;
    std::size_t ports_without_ = 0;
    std::unique_ptr<world::Guest> victim_;
    std::unique_ptr<UserOperations> users_;
    std::array<std::unique_ptr<HostileBackend>, kSettings.size()> peers_;
};

}  // namespace

std::unique_ptr<Play> make_blkfront_play(SubjectPtr subject) {
    return std::make_unique<BlkfrontPlay>(std::move(subject));
}

}  // namespace xenrig::fuzz
