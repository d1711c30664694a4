// Time on counted processors: what a vCPU computes takes its time, and all that have a processor keep pace.
//
// Each vCPU has a clock of its own, up to which it has computed; the world's time is that of the one that runs. A vCPU
// gets ahead of the slowest by no more than the window, and no timer fires before all have come as far: so a spin lock
// spins as often as its holder's work takes, and a slice ends where it ends on a machine.
#include <algorithm>

#include "sim/engine/engine.h"

namespace xenrig::engine {

namespace {

constexpr std::uint64_t kNever = ~0ull;

}  // namespace

Nanoseconds Engine::now() const {
    if (!current_ || !current_->counted || (current_->current && current_->current->working)) return now_;
    const std::uint64_t clock = current_->clock.value + (step_ - turn_step_) * config_.step_time.value;
    return Nanoseconds{std::max(now_.value, clock)};
}

void Engine::count_processors(VirtualCpu& cpu, bool counted) {
    if (cpu.counted == counted) return;
    charge();
    counted_ += counted ? 1 : -1u;
    cpu.counted = counted;
    if (window_) return;
    const StreamId stream = choices_.add_stream("processors.window", StreamKind::data);
    static constexpr Nanoseconds kWindows[] = {Nanoseconds{0}, 1_us, 4_us, 16_us};
    window_ = kWindows[choices_.pick(stream, std::size(kWindows))];
}

void Engine::charge() {
    const std::uint64_t steps = step_ - std::exchange(turn_step_, step_);
    if (!current_ || !current_->counted) return;
    VirtualCpu& cpu = *current_;
    cpu.clock.value += steps * config_.step_time.value;
    if (!cpu.current->working) now_ = std::max(now_, cpu.clock);
}

void Engine::begin_turn() {
    turn_step_ = step_;
    update_attention();
}

std::uint64_t Engine::least_clock() const {
    std::uint64_t least = kNever;
    for (const VirtualCpu* v : runnable_)
        if (v->counted) least = std::min(least, v->clock.value);
    return least;
}

bool Engine::in_step(const VirtualCpu& cpu, std::uint64_t least) const {
    if (!cpu.counted || cpu.clock.value == least) return true;
    return cpu.clock.value <= least + window_->value &&
           (timers_.empty() || cpu.clock.value <= timers_.begin()->first.first);
}

std::uint64_t Engine::turn_end_step() const {
    if (!current_ || !current_->counted) return kNever;
    std::uint64_t end = timers_.empty() ? kNever : timers_.begin()->first.first;
    for (const VirtualCpu* v : runnable_)
        if (v->counted && v != current_) end = std::min(end, v->clock.value + window_->value);
    if (end == kNever) return kNever;
    const std::uint64_t clock = current_->clock.value;
    return turn_step_ + 1 + (end > clock ? (end - clock) / config_.step_time.value : 0);
}

void Engine::keep_pace() {
    for (;;) {
        charge();
        VirtualCpu& cpu = *current_;
        if (cpu.current->cancelled) return;
        const std::uint64_t least = least_clock();
        if (least != kNever && !timers_.empty() && timers_.begin()->first.first <= least) {
            pass_time();
            continue;
        }
        if (cpu.runnable_at == VirtualCpu::kNotRunnable || in_step(cpu, least)) return;
        const auto slowest = std::find_if(runnable_.begin(), runnable_.end(),
                                          [&](const auto* v) { return v->counted && v->clock.value == least; });
        switch_to(**slowest);
    }
}

void Engine::stand_aside() {
    FiberTask& self = *current_->current;
    const bool spun = std::exchange(self.spins, true);
    reschedule();
    self.spins = spun;
}

void Engine::work(Nanoseconds duration) {
    if (!current_ || unwinder_) return;
    if (!current_->counted) return choice_point();
    VirtualCpu& cpu = *current_;
    FiberTask& self = *cpu.current;
    charge();
    self.owed = duration;
    while (self.owed.value != 0 && !self.cancelled) {
        cpu.clock = cpu.clock + std::exchange(self.owed, Nanoseconds{});
        self.working = true;
        update_attention();
        choice_point(cpu.run_stream);
        self.working = false;
        while (!self.cancelled && cpu.upcall_deliverable()) deliver_upcall(cpu);
    }
    charge();
}

void Engine::spin_in_time() {
    ++processor_counts_.spins;
    FiberTask& self = *current_->current;
    const bool spun = std::exchange(self.spins, true);
    work(config_.spin_time);
    self.spins = spun;
}

void Engine::break_off_work(VirtualCpu& cpu) {
    const Nanoseconds time = now();
    if (!cpu.counted || !cpu.current || !cpu.current->working || cpu.clock <= time) return;
    cpu.current->owed = cpu.current->owed + Nanoseconds{cpu.clock.value - time.value};
    cpu.clock = time;
    update_attention();
}

void Engine::leave_processor(VirtualCpu& cpu) {
    charge();
    break_off_work(cpu);
    memory_.drain_all(cpu.memory_port);
    if (cpu.has_work() && cpu.current && !cpu.current->locks.empty()) ++processor_counts_.holder_descheduled;
}

void Engine::enter_processor(VirtualCpu& cpu) {
    cpu.clock = now();
    FiberTask* task = cpu.current;
    // An upcall that came meanwhile is first.
    if (task && task->working && !cpu.upcall_deliverable())
        cpu.clock = cpu.clock + std::exchange(task->owed, Nanoseconds{});
}

bool Engine::on_vcpu(const Task& task) {
    const auto& t = static_cast<const FiberTask&>(task);
    return t.cpu.current == &t && t.state == FiberTask::State::running;
}

}  // namespace xenrig::engine
