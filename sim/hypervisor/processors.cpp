#include "sim/hypervisor/processors.h"

#include <utility>

#include "sim/hypervisor/domain.h"
#include "sim/hypervisor/host.h"

namespace xenrig::hypervisor {

Processors::Processors(Host& host, unsigned count) : host_(host), processors_(count) {
    if (count == 0) return;
    const std::uint32_t choice = host.machine.add_stream(host.config.name + ".processor");
    jitter_stream_ = host.machine.add_stream(host.config.name + ".slice");
    credit_.emplace(count, [this, choice](std::uint32_t n) { return host_.machine.pick(choice, n); });
}

Processors::~Processors() = default;

void Processors::attach(Vcpu& v, Cpu& cpu) {
    v.unit.processor = v.unit.processor % count();
    v.hears_runner = cpu.set_run_listener(&v, counted());
    settle(v);
}

void Processors::detach(Vcpu& v) {
    if (!v.cpu || !std::exchange(v.hears_runner, false)) return;
    has_work(v, false);
    if (counted()) {
        // Whoever is next has the processor before the runner is free.
        credit_->remove(v.unit);
        v.unit.runnable = false;
    }
    v.cpu->drop_run_listener(&v);
    v.has_runner_work = true;
}

int Processors::state_of(const Vcpu& v) const {
    if (v.holds != 0) return RUNSTATE_offline;
    if (!v.has_runner_work || v.blocked) return RUNSTATE_blocked;
    if (!counted() || v.unit.running) return RUNSTATE_running;
    return v.unit.parked ? RUNSTATE_offline : RUNSTATE_runnable;
}

void Processors::settle(Vcpu& v) {
    const int state = state_of(v);
    const int before = v.runstates.state();
    const Nanoseconds now = host_.machine.now();
    if (!v.runstates.enter(state, now)) return;
    if (v.domain.dying()) return;
    // Xen writes them when it switches from or to the vCPU.
    if (state != RUNSTATE_running && before != RUNSTATE_running) return;
    const bool flagged = (v.domain.vm_assist >> VMASST_TYPE_runstate_update_flag & 1) != 0;
    update_runstate_area(v.runstate_area, v.runstates.info(now), flagged);
    if (state != RUNSTATE_running) return;
    if (counted() || !v.has_time) {
        v.has_time = true;
        update_time(v.info, now);
        if (v.info_frame) host_.mark_dirty(v.domain, *v.info_frame);
    }
    update_time_area(v.time_area, now, v.time_version);
}

void Processors::has_work(Vcpu& v, bool any) {
    v.has_runner_work = any;
    if (counted()) {
        const auto tickled = any ? credit_->wake(v.unit) : credit_->sleep(v.unit);
        if (tickled) schedule(*tickled);
    }
    settle(v);
}

void Processors::yield(Vcpu& v) {
    if (!counted() || !v.unit.running) return;
    v.unit.yields = true;
    schedule(v.unit.processor);
}

void Processors::set_share(Domain& d, std::uint32_t weight, std::uint32_t cap) {
    d.share.cap = cap;
    if (weight == 0) return;
    if (credit_)
        credit_->set_weight(d.share, weight);
    else
        d.share.weight = weight;
}

void Processors::pin(Vcpu& v, std::optional<std::uint32_t> processor) {
    v.unit.pinned = processor;
    if (!counted() || !processor || v.unit.processor == *processor || !v.unit.runnable) return;
    const bool was_running = v.unit.running;
    const std::uint32_t left = v.unit.processor;
    credit_->sleep(v.unit);
    if (was_running) schedule(left);
    if (const auto tickled = credit_->wake(v.unit, false)) schedule(*tickled);
    settle(v);
}

void Processors::schedule(std::uint32_t processor) {
    Processor& here = processors_[processor];
    const Nanoseconds now = host_.machine.now();
    const auto [unit, slice] = credit_->schedule(processor, now);
    Vcpu* const next = unit ? &static_cast<SchedulingUnit*>(unit)->vcpu : nullptr;
    Vcpu* const before = std::exchange(here.runs, next);
    if (before != next) {
        host_.machine.trace("schedule", processor, before ? before->number() : ~0ull, next ? next->number() : ~0ull);
        if (before && before->cpu) before->cpu->place(false);
        if (before) settle(*before);
        if (next) next->cpu->place(true);
        if (next) settle(*next);
    }
    cancel(here.slice);
    if (!next) return cancel(here.tick);
    constexpr std::uint32_t kJitters = 8;
    constexpr std::uint64_t kJitter = (20_us).value;
    const Nanoseconds late{host_.machine.pick(jitter_stream_, kJitters) * kJitter};
    arm(here.slice, now + slice + late, &Processors::schedule, processor);
    const auto next_multiple = [&](Nanoseconds of) { return Nanoseconds{now.value + of.value - now.value % of.value}; };
    if (!here.tick.pending) arm(here.tick, next_multiple(kCreditTick), &Processors::tick, processor);
    if (!accounting_.pending) arm(accounting_, next_multiple(kCreditSlice), &Processors::account_all, 0);
}

void Processors::tick(std::uint32_t processor) {
    const Nanoseconds now = host_.machine.now();
    arm(processors_[processor].tick, now + kCreditTick, &Processors::tick, processor);
    if (!credit_->tick(processor, now)) return;
    Vcpu& v = *processors_[processor].runs;
    credit_->sleep(v.unit);
    schedule(processor);
    if (const auto tickled = credit_->wake(v.unit, false)) schedule(*tickled);
}

void Processors::account_all(std::uint32_t) {
    for (const std::uint32_t processor : credit_->account()) schedule(processor);
    if (busy()) arm(accounting_, host_.machine.now() + kCreditSlice, &Processors::account_all, 0);
}

bool Processors::busy() const {
    for (const Processor& p : processors_)
        if (p.runs) return true;
    return credit_ && !credit_->idle();
}

void Processors::arm(OneShot& timer, Nanoseconds deadline, void (Processors::*fire)(std::uint32_t),
                     std::uint32_t processor) {
    cancel(timer);
    timer.pending = host_.machine.at(deadline, [this, &timer, setting = timer.setting, fire, processor] {
        const InHypervisor inside(host_.machine);
        if (timer.setting != setting) return;
        timer.pending.reset();
        (this->*fire)(processor);
    });
}

void Processors::cancel(OneShot& timer) {
    if (timer.pending) host_.machine.cancel(*timer.pending);
    timer.pending.reset();
    ++timer.setting;
}

void Processors::stop() {
    for (Processor& p : processors_) {
        cancel(p.slice);
        cancel(p.tick);
    }
    cancel(accounting_);
}

}  // namespace xenrig::hypervisor
