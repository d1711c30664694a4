#include "sim/fuzz/arena.h"

#include "sim/fuzz/play_meter.h"

namespace xenrig::fuzz {

PlayReport Arena::play(std::span<const std::byte> bytes, const ArenaRules& rules) {
    Input input(bytes);
    const std::uint8_t options = input.byte();
    const PlayMeter meter(stage_);
    const std::uint8_t choices_bytes = input.byte();
    const std::string choices = input.take(choices_bytes);
    source_.begin(std::as_bytes(std::span(choices)));
    stage_.engine().renew_choices();

    const std::size_t device = (options & kDeviceMask) % rules.devices;
    PlayReport report;
    bool well = stage_.play(*hostile_->kernel, "hostile", [&] {
        while (!input.empty() && report.acts < kActsMax) {
            rules.act(device, input);
            ++report.acts;
        }
        stage_.settle();
        rules.end_of_acts(device);
    });
    report.late_writes = late_.done();
    late_.clear();
    stage_.fail_no_hypercall();
    well = well && stage_.until_quiet();
    report.state = rules.state_of(device);
    if (well) rules.check_device(device);
    const auto fine = [&] { return well && stage_.engine().problems().empty(); };
    const bool destroyed = (options & kDestroyed) != 0;
    if (fine() && ((options & kUnwitnessed) == 0 || destroyed)) well = rules.other_device_serves();
    if (fine() && destroyed) rules.check_nothing_is_left();
    meter.finish(report);
    return report;
}

}  // namespace xenrig::fuzz
