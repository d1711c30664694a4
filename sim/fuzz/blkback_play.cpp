// A hostile guest against blkback: four devices of one guest, and another guest that must not notice anything.
#include <array>

#include "sim/fuzz/blk_target.h"
#include "sim/fuzz/byte_source.h"
#include "sim/fuzz/hostile_frontend.h"
#include "sim/fuzz/play_meter.h"
#include "sim/fuzz/stage.h"
#include "sim/protocols/blk/raw_frontend.h"
#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

namespace {

constexpr std::array kSettings = {
    FrontendSetting{.device = 51712},
    FrontendSetting{.device = 51728, .persistent = true, .page_order = 1},
    FrontendSetting{.device = 51744, .x86_32 = true},
    FrontendSetting{.device = 51760, .queues = 2},
};
constexpr std::size_t kReadOnlyDevice = 2;
constexpr unsigned kWitnessDevice = 51712;
constexpr std::uint64_t kWitnessSector = 5;

class BlkbackPlay final : public Play {
public:
    BlkbackPlay() {
        stage_.start_backends();
        stage_.add_disk("witness");
        witness_guest_ = &stage_.add_guest("witness", {{.number = kWitnessDevice, .params = "witness"}});
        connect_witness();
        ports_without_ = stage_.ledger().ports(DomId{0});

        std::vector<toolstack::DiskNodes> disks;
        for (std::size_t i = 0; i < kSettings.size(); ++i) {
            const std::string name = "disk" + std::to_string(i);
            stage_.add_disk(name, i == kReadOnlyDevice);
            disks.push_back({.number = kSettings[i].device, .params = name, .read_only = i == kReadOnlyDevice});
        }
        hostile_ = &stage_.add_guest("hostile", disks);
        for (std::size_t i = 0; i < kSettings.size(); ++i)
            peers_[i] = std::make_unique<HostileFrontend>(world(), kSettings[i]);
        check(stage_.play(*hostile_->kernel, "hostile.boot",
                          [this] {
                              for (auto& peer : peers_) peer->connect();
                          }),
              "a hostile frontend that does all as usual connects");
        for (const auto& peer : peers_)
            check(state_of(*peer) == "4", "blkback connects with a frontend that does all as usual");
    }

    ~BlkbackPlay() override { late_.clear(); }

    PlayReport run(std::span<const std::byte> bytes) override {
        Input input(bytes);
        const std::uint8_t options = input.byte();
        PlayMeter meter(stage_);
        const std::uint8_t choices_bytes = input.byte();
        const std::string choices = input.take(choices_bytes);
        source_.begin(std::as_bytes(std::span(choices)));
        stage_.engine().renew_choices();

        HostileFrontend& peer = *peers_[(options & kDeviceMask) % peers_.size()];
        PlayReport report;
        bool well = stage_.play(*hostile_->kernel, "hostile", [&] {
            while (!input.empty() && report.acts < kActsMax) {
                peer.act(input);
                ++report.acts;
            }
            settle();
            peer.count_answers();
        });
        report.late_writes = late_.done();
        late_.clear();
        well = well && stage_.until_quiet();
        report.state = state_of(peer);
        if (well) check_mappings(peer);
        well = well && stage_.engine().problems().empty() && witness_is_served();
        if (well && (options & kDestroyed) != 0) check_nothing_is_left();
        meter.finish(report);
        return report;
    }

    std::vector<std::span<std::byte>> memory() override { return stage_.memory(); }

private:
    HostileFrontend::World world() {
        return {.platform = *hostile_->kernel,
                .backend = DomId{0},
                .stranger = witness_guest_->domain,
                .late = late_,
                .settle = [this] { settle(); },
                .step_aside = [this] { stage_.step_aside(); },
                .detach = [this](unsigned device) { detach(device); }};
    }

    void settle() { stage_.settle(); }

    /// Whether it ends depends on the guest.
    void detach(unsigned device) {
        stage_.control().spawn("xl block-detach", TaskRole::service,
                               [this, device] { (void)stage_.tools().remove_disk(hostile_->domain, device); });
    }

    std::string state_of(const HostileFrontend& peer) {
        return stage_.peek("/local/domain/0/backend/vbd/" + std::to_string(hostile_->domain.value) + '/' +
                           std::to_string(peer.device()) + "/state");
    }

    void connect_witness() {
        check(stage_.play(*witness_guest_->kernel, "witness.boot",
                          [this] {
                              witness_ =
                                  std::make_unique<blk::RawFrontend>(*witness_guest_->kernel, DomId{0}, kWitnessDevice);
                              witness_->make_ring();
                              witness_->publish();
                              witness_->state(3);
                              settle();
                              witness_->state(4);
                              settle();
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
                settle();
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

    ByteSource source_;
    Stage stage_{source_};
    BareGuest* witness_guest_ = nullptr;
    BareGuest* hostile_ = nullptr;
    LateWrites late_{
        [this] { return scheduler->current_cpu() != nullptr && scheduler->current_cpu() != hostile_->cpus[0]; }};
    std::unique_ptr<blk::RawFrontend> witness_;
    blk::RawFrontend::Transfer write_, read_;
    std::vector<std::byte> written_;
    std::array<std::unique_ptr<HostileFrontend>, kSettings.size()> peers_;
    std::size_t ports_without_ = 0;
};

}  // namespace

std::unique_ptr<Play> make_blkback_play() { return std::make_unique<BlkbackPlay>(); }

}  // namespace xenrig::fuzz
