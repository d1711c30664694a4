#include "sim/fuzz/arena.h"

#include <utility>

#include "sim/fuzz/play_meter.h"

namespace xenrig::fuzz {

PlayReport Arena::play(std::span<const std::byte> bytes, ArenaRules rules) {
    rules_ = std::move(rules);
    input_ = Input(bytes);
    const std::uint8_t options = input_.byte();
    const PlayMeter meter(stage_);
    const std::uint8_t choices_bytes = input_.byte();
    const std::string choices = input_.take(choices_bytes);
    source_.begin(std::as_bytes(std::span(choices)));
    stage_.engine().renew_choices();

    const std::size_t device = (options & kDeviceMask) % rules_.devices;
    bool well = stage_.play(*hostile_->kernel, "hostile", [this, device] { act(device); });
    report_.late_writes = late_.done();
    late_.clear();
    stage_.fail_no_hypercall();
    well = well && stage_.until_quiet();
    report_.state = rules_.state_of(device);
    if (well) judge(device, options);
    meter.finish(report_);
    return report_;
}

void Arena::detach(DomId guest, unsigned device) {
    // Each wakes all others at every change: a hundred of them would be all that there is to see.
    constexpr unsigned kDetachesMax = 4;
    if (++detaches_ > kDetachesMax) return;
    stage_.control().spawn("xl block-detach", TaskRole::service,
                           [this, guest, device] { (void)stage_.tools().remove_disk(guest, device); });
}

void Arena::act(std::size_t device) {
    while (!input_.empty() && report_.acts < kActsMax) {
        rules_.act(device, input_);
        ++report_.acts;
    }
    stage_.settle();
    rules_.end_of_acts(device);
}

void Arena::judge(std::size_t device, std::uint8_t options) {
    const auto well = [this] { return stage_.engine().problems().empty(); };
    const bool destroyed = (options & kDestroyed) != 0;
    rules_.check_device(device);
    if (well() && ((options & kUnwitnessed) == 0 || destroyed) && !rules_.other_device_serves()) return;
    if (well() && destroyed) rules_.check_nothing_is_left();
}

}  // namespace xenrig::fuzz
