// A hostile guest against blkback: seven devices of one guest, and another guest that must not notice anything.
#include <array>

#include "sim/fuzz/arena.h"
#include "sim/fuzz/hostile_frontend.h"
#include "sim/fuzz/peer_values.h"
#include "sim/protocols/blk/raw_frontend.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

namespace {

struct Device {
    FrontendSetting frontend;
    Stage::DiskKind disk;
    bool cdrom = false;
    /// What our backend offers.
    blk::BlkbackOptions offer = {};
};

constexpr std::uint32_t kErrors = 8;
constexpr DiskRules kPlain{.sectors = kSectors}, kReadOnly{.sectors = kSectors, .read_only = true};

const std::array kDevices = {
    Device{{.device = 51712, .disk = kPlain}, {.error_one_in = kErrors}},
    Device{{.device = 51728, .persistent = true, .page_order = 1, .disk = kPlain}, {.error_one_in = kErrors}},
    Device{{.device = 51744, .x86_32 = true, .disk = kReadOnly}, {.read_only = true}},
    Device{{.device = 51760, .queues = 2, .disk = kPlain}, {.error_one_in = kErrors}},
    Device{{.device = 51776, .disk = kReadOnly}, {.read_only = true}, true},
    Device{{.device = 51792, .large_sectors = true}, {.sector_bytes = 4096}, false, {.units = blk::kXen417Units}},
    Device{{.device = 51808, .disk = kPlain},
           {},
           false,
           {.flush = false,
            .barrier = false,
            .discard = false,
            .indirect_segments = 0,
            .ring_page_order = 0,
            .queues = 1,
            .persistent_grants = 0}},
};
constexpr unsigned kWitnessDevice = 51712;
constexpr std::uint64_t kWitnessSector = 5;

class BlkbackPlay final : public Play {
public:
    explicit BlkbackPlay(SubjectPtr subject) : subject_(std::move(subject)) {
        stage_.start_backends(subject_);
        stage_.add_disk("witness", {});
        witness_guest_ = &stage_.add_guest("witness", {{.number = kWitnessDevice, .params = "witness"}});
        connect_witness();
        ports_without_ = stage_.ledger().ports(DomId{0});

        std::vector<toolstack::DiskNodes> disks;
        for (std::size_t i = 0; i < kDevices.size(); ++i) {
            const std::string name = "disk" + std::to_string(i);
            stage_.set_options(kDevices[i].frontend.device, kDevices[i].offer);
            disks_[i] = &stage_.add_disk(name, kDevices[i].disk);
            disks.push_back({.number = kDevices[i].frontend.device,
                             .params = name,
                             .read_only = kDevices[i].disk.read_only,
                             .cdrom = kDevices[i].cdrom});
        }
        hostile_ = &stage_.add_guest("hostile", disks);
        arena_.set_hostile(*hostile_);
        for (std::size_t i = 0; i < kDevices.size(); ++i)
            peers_[i] = std::make_unique<HostileFrontend>(world(), kDevices[i].frontend);
        check(stage_.play(*hostile_->kernel, "hostile.boot",
                          [this] {
                              for (auto& peer : peers_) peer->connect();
                          }),
              "a hostile frontend that does all as usual connects");
        for (const auto& peer : peers_)
            check(state_of(*peer) == "4" || subject_, "blkback connects with a frontend that does all as usual");
    }

    ~BlkbackPlay() override {
        arena_.late().clear();
        stage_.power_off();
    }

    PlayReport run(std::span<const std::byte> input) override {
        return arena_.play(input, {.devices = peers_.size(),
                                   .act = [this](std::size_t i, Input& in) { peers_[i]->act(in); },
                                   .end_of_acts = [this](std::size_t i) { peers_[i]->finish(); },
                                   .state_of = [this](std::size_t i) { return state_of(*peers_[i]); },
                                   .check_device = [this](std::size_t i) { check_mappings(*peers_[i]); },
                                   .other_device_serves = [this] { return witness_is_served(); },
                                   .check_nothing_is_left = [this] { check_nothing_is_left(); }});
    }

    std::vector<std::span<std::byte>> memory() override { return stage_.memory(); }

private:
    HostileFrontend::World world() {
        return {
            .platform = *hostile_->kernel,
            .domain = hostile_->domain,
            .backend = DomId{0},
            .stranger = witness_guest_->domain,
            .late = arena_.late(),
            .settle = [this] { stage_.settle(); },
            .step_aside = [this] { stage_.step_aside(); },
            .detach = [this](unsigned device) { arena_.detach(hostile_->domain, device); },
            .toolstack_node =
                [this](unsigned device, const std::string& node, std::optional<std::string> value) {
                    spawn_admin([this, path = directory_of(device) + node, value = std::move(value)] {
                        Store& store = stage_.control().store();
                        (void)(value ? store.write(StoreTx::none, path, *value) : store.rm(StoreTx::none, path));
                    });
                },
            .medium =
                [this](unsigned device, const std::string& params) {
                    spawn_admin([this, device, params] {
                        (void)stage_.tools().change_medium(hostile_->domain, device, params);
                    });
                },
            .resize = [this](
                          unsigned device,
                          std::uint64_t sectors) { spawn_admin([this, device, sectors] { resize(device, sectors); }); },
            .fail_hypercall = [this](unsigned after) { stage_.fail_hypercall(DomId{0}, after); },
            .peek = [this](const std::string& path) { return stage_.peek(path); },
            .broken = [this](std::string rule, std::string how) { stage_.broken(std::move(rule), std::move(how)); }};
    }

    void spawn_admin(std::function<void()> job) { stage_.control().spawn("xl", TaskRole::service, std::move(job)); }

    void resize(unsigned device, std::uint64_t sectors) {
        for (std::size_t i = 0; i < kDevices.size(); ++i) {
            if (kDevices[i].frontend.device != device) continue;
            const std::uint64_t sector_bytes = kDevices[i].disk.sector_bytes;
            disks_[i]->resize(sectors * 512 / sector_bytes * sector_bytes);
        }
    }

    std::string directory_of(unsigned device) const {
        return "/local/domain/0/backend/vbd/" + std::to_string(hostile_->domain.value) + '/' + std::to_string(device) +
               '/';
    }

    std::string state_of(const HostileFrontend& peer) { return stage_.peek(directory_of(peer.device()) + "state"); }

    void connect_witness() {
        check(stage_.play(*witness_guest_->kernel, "witness.boot",
                          [this] {
                              witness_ =
                                  std::make_unique<blk::RawFrontend>(*witness_guest_->kernel, DomId{0}, kWitnessDevice);
                              witness_->make_ring();
                              witness_->publish();
                              witness_->state(3);
                              stage_.settle();
                              witness_->state(4);
                              stage_.settle();
                              written_ = blk::sector_pattern(kWitnessSector + 100);
                              write_ = witness_->write(kWitnessSector, written_);
                              read_ = witness_->read(kWitnessSector, 1);
                          }),
              "a frontend that does all as usual connects");
    }

    bool witness_is_served() {
        return stage_.play(*witness_guest_->kernel, "witness", [this] {
            const auto asked = [this](const blk::RawFrontend::Transfer& t) {
                witness_->put(t.request);
                witness_->push();
                witness_->notify();
                stage_.settle();
                const auto answer = witness_->take();
                return answer && answer->id == t.request.id && answer->status == BLKIF_RSP_OKAY;
            };
            if (!asked(write_) || !asked(read_))
                return stage_.broken("other-device", "the other guest's disk is not served any more");
            if (witness_->data(read_) != written_)
                stage_.broken("data", "the other guest reads what it has not written");
        });
    }

    /// What blkback maps of the guest belongs to a connected device. Of one that keeps grants mapped and was
    /// played with, nobody knows how many that are, and of one whose nodes were overwritten how large its ring is.
    void check_mappings(const HostileFrontend& played) {
        // The ring of its store stays mapped.
        std::size_t most = 1;
        for (const auto& peer : peers_) {
            // One that waits for its frontend to close still has its rings.
            const std::string state = state_of(*peer);
            if (state != "4" && state != "5") continue;
            if ((peer.get() == &played && peer->persistent()) || peer->ring_pages_max() == ~0ull) return;
            most += peer->ring_pages_max();
        }
        const auto mapped = stage_.ledger().mappings(DomId{0}, hostile_->domain);
        if (mapped.size() > most)
            stage_.broken("leak", "blkback maps " + std::to_string(mapped.size() - most) +
                                      " pages too many of the guest's, the last: " + mapped.back());
    }

    void check_nothing_is_left() {
        const DomId domain = hostile_->domain;
        stage_.destroy(*hostile_);
        if (!stage_.engine().problems().empty()) return;
        const auto mapped = stage_.ledger().mappings(DomId{0}, domain);
        if (!mapped.empty()) stage_.broken("leak", "after the guest's end: " + mapped.back());
        const std::size_t ports = stage_.ledger().ports(DomId{0});
        if (ports != ports_without_)
            stage_.broken("leak", "after the guest's end the control domain has " + std::to_string(ports) +
                                      " ports, and had " + std::to_string(ports_without_) + " before it");
        if (const std::string wrong = stage_.host().xen().audit(); !wrong.empty()) stage_.broken("hypervisor", wrong);
    }

    /// Keeps the code of a library loaded: it goes last.
    const SubjectPtr subject_;
    Arena arena_;
    Stage& stage_ = arena_.stage();
    BareGuest* witness_guest_ = nullptr;
    BareGuest* hostile_ = nullptr;
    std::unique_ptr<blk::RawFrontend> witness_;
    blk::RawFrontend::Transfer write_, read_;
    std::vector<std::byte> written_;
    std::array<blk::SimDisk*, kDevices.size()> disks_{};
    std::array<std::unique_ptr<HostileFrontend>, kDevices.size()> peers_;
    std::size_t ports_without_ = 0;
};

}  // namespace

std::unique_ptr<Play> make_blkback_play(SubjectPtr subject) {
    return std::make_unique<BlkbackPlay>(std::move(subject));
}

}  // namespace xenrig::fuzz
