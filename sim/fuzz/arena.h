// What every play of the block pair has: a stage, a hostile guest whose peers act by an input's bytes, and the order in
// which an input is played and judged.
#pragma once

#include <functional>
#include <span>

#include "sim/fuzz/blk_target.h"
#include "sim/fuzz/byte_source.h"
#include "sim/fuzz/input.h"
#include "sim/fuzz/late_writes.h"
#include "sim/fuzz/stage.h"

namespace xenrig::fuzz {

/// What differs from play to play; `device` counts the peer's devices from 0.
struct ArenaRules {
    std::size_t devices = 1;
    /// In a script.
    std::function<void(std::size_t device, Input&)> act;
    std::function<void(std::size_t device)> end_of_acts;
    /// The victim's, in the store.
    std::function<std::string(std::size_t device)> state_of;
    /// Outside scripts, when the world is quiet: what is wrong, they tell the stage.
    std::function<void(std::size_t device)> check_device;
    std::function<bool()> other_device_serves;
    std::function<void()> check_nothing_is_left;
};

class Arena {
public:
    Arena() = default;
    ~Arena() { late_.clear(); }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    Stage& stage() { return stage_; }
    LateWrites& late() { return late_; }
    void set_hostile(BareGuest& guest) { hostile_ = &guest; }

    /// A toolstack's `xl block-detach`; whether it ends depends on the peer.
    void detach(DomId guest, unsigned device);

    /// Once. The rules hold for an input of any bytes.
    PlayReport play(std::span<const std::byte> input, ArenaRules rules);

private:
    void act(std::size_t device);
    void judge(std::size_t device, std::uint8_t options);

    ByteSource source_;
    Stage stage_{source_};
    BareGuest* hostile_ = nullptr;
    LateWrites late_{
        [this] { return scheduler->current_cpu() != nullptr && scheduler->current_cpu() != hostile_->cpus[0]; }};
    // What a script stands on that is ended in the middle, when something was found wrong.
    ArenaRules rules_;
    Input input_{{}};
    PlayReport report_;
    unsigned detaches_ = 0;
};

}  // namespace xenrig::fuzz
