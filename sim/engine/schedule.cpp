// The engine's scheduler: what happens at a choice point, and who runs when a task can't go on.
#include <algorithm>

#include "sim/engine/engine.h"
#include "xenrig/abi/check.h"

namespace xenrig::engine {

inline void Engine::enter(Fiber& from, VirtualCpu& to) {
    current_ = &to;
    if (!to.current) {
        if (to.ready.empty()) {
            to.current = &to.idle_task();
        } else {
            to.current = to.ready.front();
            to.ready.pop_front();
            to.current->state = FiberTask::State::running;
        }
    }
    if (counted_ != 0 || to.paused != 0) begin_turn();
    from.jump_to(*to.current->fiber);
}

inline void Engine::switch_cpu(VirtualCpu& to) {
    VirtualCpu& here = *current_;
    FiberTask& self = *here.current;
    ++switches_;
    if (counted_ != 0) charge();
    record(Event::cpu, to.number, 0, 0);
    enter(*self.fiber, to);
    arrived();
}

inline void Engine::switch_task(VirtualCpu& cpu, FiberTask& from, FiberTask& to) {
    ++switches_;
    to.state = FiberTask::State::running;
    cpu.current = &to;
    record(Event::task, 0, 0, 0);
    if (from.finished()) reap_ = &from;
    from.fiber->jump_to(*to.fiber);
    arrived();
}

void Engine::switch_to(VirtualCpu& cpu) { switch_cpu(cpu); }

Stopped Engine::drive() {
    check(!current_, "the world is driven from outside");
    for (;;) {
        if (!problems_.empty()) return Stopped::problem;
        VirtualCpu* next = std::exchange(resume_, nullptr);
        if (!next && !runnable_.empty()) {
            const std::uint32_t n = others_runnable();
            next = &other_runnable(choices_.pick(outside_stream_, n));
        }
        if (!next) {
            drain_everything();
            if (pass_time()) continue;
            stopped_ = Stopped::quiet;
        } else {
            enter(outside_, *next);
            current_ = nullptr;
            arrived();
        }
        if (stopped_ == Stopped::quiet) check_quiet();
        return problems_.empty() ? stopped_ : Stopped::problem;
    }
}

void Engine::decide(StreamId stream) {
    if (step_ >= attention_) attend();
    if (counted_ != 0) charge();
    VirtualCpu& cpu = *current_;
    FiberTask& self = *cpu.current;
    if (self.cancelled) return;

    // A store that becomes visible, or time that passes, changes what the others see: then one of them may run, still
    // before this step.
    for (;;) {
        const std::uint32_t upcalls = cpu.upcall_deliverable() ? 1 : 0;
        const std::uint32_t tasks = cpu.preemptible() ? static_cast<std::uint32_t>(cpu.ready.size()) : 0;
        const std::uint32_t cpus = others_runnable();
        const std::uint32_t stores = drainable();
        const std::uint32_t time = time_may_pass() ? 1 : 0;

        std::uint32_t choice = choices_.pick(stream, 1 + upcalls + tasks + cpus + stores + time);
        if (choice-- == 0) return;
        if (choice < upcalls) return deliver_upcall(cpu);
        choice -= upcalls;
        if (choice < tasks) {
            FiberTask& next = *cpu.ready[choice];
            cpu.ready.erase(cpu.ready.begin() + choice);
            self.state = FiberTask::State::ready;
            cpu.ready.push_back(&self);
            return switch_task(cpu, self, next);
        }
        choice -= tasks;
        if (choice < cpus) return switch_cpu(other_runnable(choice));
        choice -= cpus;
        if (choice < stores)
            drain_one(choice);
        else
            pass_time();
    }
}

void Engine::attend() {
    if (counted_ != 0) charge();
    if (step_ >= config_.steps_max && problems_.empty())
        report("livelock", "the world took " + std::to_string(config_.steps_max) + " steps without going quiet.\n" +
                               wait_for_report());
    if (step_ >= hook_step_) {
        hook_step_ = ~0ull;
        const auto hook = std::move(hook_);
        Cpu* first = outside(hook);
        if (auto* to = static_cast<VirtualCpu*>(first); to && to != current_ && to->can_run()) switch_cpu(*to);
    }
    if (!problems_.empty()) stop_here(Stopped::problem);
    if (condition_ && outside(*condition_)) stop_here(Stopped::condition);
    for (;;) {
        if (counted_ != 0) keep_pace();
        if ((current_->paused == 0 && current_->placed) || current_->current->cancelled) break;
        current_->placed ? reschedule() : stand_aside();
    }
    update_attention();
}

void Engine::stop_here(Stopped why) {
    stopped_ = why;
    charge();
    resume_ = current_;
    FiberTask& self = *current_->current;
    self.fiber->jump_to(outside_);
    arrived();
}

void Engine::reschedule(bool yields) {
    VirtualCpu& cpu = *current_;
    FiberTask& self = *cpu.current;
    using State = FiberTask::State;
    for (;;) {
        // A spin lock may be taken in a destructor: it looks for itself and goes on without the lock.
        if (self.cancelled) return self.spins ? void() : block_cancelled(self);
        update(cpu);
        if (counted_ != 0) charge();
        const bool free = cpu.can_run();
        if (free && (cpu.in_upcall || self.state == State::running)) return;

        const bool local = free && !cpu.halted;
        const std::uint32_t upcalls = local && cpu.upcall_deliverable() ? 1 : 0;
        std::uint32_t tasks = local && cpu.preemptible() ? static_cast<std::uint32_t>(cpu.ready.size()) : 0;
        // A task that yields stands last in `ready`, and comes last here: behind the other vCPUs, but only once.
        const std::uint32_t last = std::exchange(yields, false) && tasks != 0 ? 1 : 0;
        tasks -= last;
        const std::uint32_t cpus = others_runnable();
        const std::uint32_t stores = drainable();
        if (upcalls + tasks + cpus + last == 0) {
            drain_everything();
            if (!pass_time()) stop_here(Stopped::quiet);
            continue;
        }

        const std::uint32_t time = time_may_pass() ? 1 : 0;
        const std::uint32_t n = upcalls + tasks + cpus + stores + time + last;
        std::uint32_t choice = choices_.pick(cpu.next_stream, n);
        if (choice < upcalls) {
            deliver_upcall(cpu);
            continue;
        }
        choice -= upcalls;
        if (choice < tasks) {
            FiberTask& next = *cpu.ready[choice];
            cpu.ready.erase(cpu.ready.begin() + choice);
            if (&next == &self) {
                self.state = State::running;
                return;
            }
            switch_task(cpu, self, next);
            if (self.state == State::running) return;
            continue;
        }
        choice -= tasks;
        if (choice < cpus) {
            switch_cpu(other_runnable(choice));
            continue;
        }
        choice -= cpus;
        if (choice < stores) {
            drain_one(choice);
            continue;
        }
        choice -= stores;
        if (choice < time) {
            pass_time();
            continue;
        }
        cpu.ready.erase(std::find(cpu.ready.begin(), cpu.ready.end(), &self));
        self.state = State::running;
        return;
    }
}

void Engine::block_cancelled(FiberTask& self) {
    self.state = FiberTask::State::running;
    if (self.unwinding_deferred == 0) throw Unwound{};
    self.fiber->jump_to(*unwinder_);
}

std::uint32_t Engine::others_runnable() const {
    if (counted_ != 0) {
        const std::uint64_t least = least_clock();
        return static_cast<std::uint32_t>(std::count_if(runnable_.begin(), runnable_.end(),
                                                        [&](auto* v) { return v != current_ && in_step(*v, least); }));
    }
    const std::size_t self = !current_ || current_->runnable_at == VirtualCpu::kNotRunnable ? 0 : 1;
    return static_cast<std::uint32_t>(runnable_.size() - self);
}

VirtualCpu& Engine::other_runnable(std::uint32_t i) const {
    if (counted_ != 0) {
        const std::uint64_t least = least_clock();
        const auto found = std::find_if(runnable_.begin(), runnable_.end(),
                                        [&](auto* v) { return v != current_ && in_step(*v, least) && i-- == 0; });
        return **found;
    }
    const std::size_t here = current_ ? current_->runnable_at : VirtualCpu::kNotRunnable;
    if (here == VirtualCpu::kNotRunnable) return *runnable_[i];
    const std::size_t there = here + 1 + i;
    return *runnable_[there < runnable_.size() ? there : there - runnable_.size()];
}

std::uint32_t Engine::drainable() const {
    if (config_.model == Model::sc) return 0;
    std::uint32_t n = 0;
    for (const auto& cpu : cpus_)
        if (!cpu->stores_late) n += memory_.drainable(cpu->memory_port);
    return n;
}

void Engine::drain_one(std::uint32_t index) {
    for (const auto& cpu : cpus_) {
        if (cpu->stores_late) continue;
        const std::uint32_t n = memory_.drainable(cpu->memory_port);
        if (index < n) {
            const std::size_t length = memory_.drain(cpu->memory_port, index);
            return record(Event::drain, cpu->number, index, length);
        }
        index -= n;
    }
}

void Engine::stores_late(Cpu& cpu, std::function<bool(const shared::Window&, std::size_t)> late) {
    static_cast<VirtualCpu&>(cpu).stores_late = std::move(late);
}

void Engine::stored(VirtualCpu& cpu, const shared::Window& w, std::size_t offset) {
    if (cpu.stores_late(w, offset))
        cpu.holds_stores = true;
    else if (!cpu.holds_stores)
        memory_.drain_all(cpu.memory_port);
}

void Engine::let_others_look() {
    if (current_->current->cancelled) return;
    const std::uint32_t choice = choices_.pick(current_->late_stream, 1 + others_runnable());
    if (choice != 0) switch_cpu(other_runnable(choice - 1));
}

void Engine::full_barrier() {
    const std::size_t port = current_->memory_port;
    const bool held_back = stores_wait();
    while (stores_wait()) {
        let_others_look();
        const std::uint32_t newest = memory_.drainable(port) - 1;
        const std::size_t length = memory_.drain(port, newest);
        record(Event::drain, current_->number, newest, length);
    }
    memory_.full_barrier(port);
    current_->holds_stores = false;
    // What is new by now may be half seen without a read barrier.
    if (held_back) let_others_look();
}

void Engine::drain_everything() {
    if (config_.model == Model::sc) return;
    for (const auto& cpu : cpus_) memory_.drain_all(cpu->memory_port);
}

void Engine::update(VirtualCpu& cpu) {
    if (cpu.run_listener) {
        const bool work = cpu.has_work();
        if (work != cpu.listener_knows_of_work) {
            cpu.listener_knows_of_work = work;
            cpu.run_listener->has_work(work);
        }
    }
    const bool listed = cpu.runnable_at != VirtualCpu::kNotRunnable;
    // A listener may have placed the vCPU meanwhile.
    const bool can = cpu.can_run();
    if (can == listed) return;
    if (can) {
        cpu.runnable_at = runnable_.size();
        runnable_.push_back(&cpu);
    } else {
        VirtualCpu* last = runnable_.back();
        runnable_[cpu.runnable_at] = last;
        last->runnable_at = cpu.runnable_at;
        runnable_.pop_back();
        cpu.runnable_at = VirtualCpu::kNotRunnable;
    }
}

void Engine::deliver_upcall(VirtualCpu& cpu) {
    ++upcalls_;
    record(Event::upcall, 0, 0, 0);
    memory_.full_barrier(cpu.memory_port);
    cpu.in_upcall = true;
    cpu.upcall->deliver();
    cpu.in_upcall = false;
}

void Engine::finish(FiberTask& task) {
    task.state = FiberTask::State::finished;
    if (!task.locks.empty() && !unwinder_)
        report("lock-held-at-exit",
               "'" + task.name() + "' ended and holds '" + std::string(task.locks.back().second) + "'");
    task.locks.clear();
    if (unwinder_) task.fiber->jump_to(*unwinder_);
    // Its stack serves as the vCPU's idle loop until another task takes over.
    reschedule();
    check(false, "a finished task never runs again");
}

void Engine::unwind(FiberTask& task) {
    task.cancelled = true;
    if (!task.started) {
        task.state = FiberTask::State::finished;
        return;
    }
    if (counted_ != 0) charge();
    Fiber* outer = unwinder_;
    VirtualCpu* here = current_;
    VirtualCpu* on = here ? here : outside_on_;
    Fiber& from = on ? *on->current->fiber : outside_;
    check(!on || on->current != &task, "no task unwinds itself");
    FiberTask* was = task.cpu.current;
    unwinder_ = &from;
    current_ = &task.cpu;
    task.cpu.current = &task;
    from.jump_to(*task.fiber);
    arrived();
    task.cpu.current = was == &task && task.finished() ? nullptr : was;
    current_ = here;
    unwinder_ = outer;
    if (counted_ != 0) update_attention();
}

Task* Engine::current_task() { return current_ ? current_->current : nullptr; }

void Engine::point(Step step, std::uint64_t object) {
    if (!current_ || unwinder_) return;
    choice_point(step == Step::hypercall ? current_->run_stream : current_->sync_stream);
    record(Event::step, static_cast<std::uint64_t>(step), object, 0);
    // Locked operations and hypercalls are full barriers; waiting and waking stand beside a lock.
    if (step != Step::wait && step != Step::wake && step != Step::yield) full_barrier();
}

void Engine::park(const WaitQueue& on) {
    FiberTask& self = *current_->current;
    if (unwinder_) return block_cancelled(self);
    if (!current_->preemptible())
        report("sleeps-in-atomic", "'" + self.name() + "' blocks in an upcall or under a spin lock");
    if (std::exchange(self.woken, false)) return;
    self.state = FiberTask::State::parked;
    self.waits_on = &on;
    reschedule();
    self.waits_on = nullptr;
}

void Engine::wake(Task& task) {
    auto& t = static_cast<FiberTask&>(task);
    if (t.state != FiberTask::State::parked) {
        t.woken = true;
        return;
    }
    t.cpu.make_ready(t);
}

void Engine::yield() {
    if (!current_) return;
    FiberTask& self = *current_->current;
    if (unwinder_) return block_cancelled(self);
    if (!current_->preemptible()) return;
    ++step_;
    if (step_ >= attention_) attend();
    self.state = FiberTask::State::ready;
    current_->ready.push_back(&self);
    reschedule(true);
}

void Engine::spin(std::string_view lock, const Task* holder) {
    VirtualCpu& cpu = *current_;
    if (unwinder_) return cpu.current->fiber->jump_to(*unwinder_);
    if (cpu.counted) return spin_in_time();
    cpu.spins_on = lock;
    cpu.spin_holder = holder;
    ++spinning_;
    FiberTask& self = *cpu.current;
    self.spins = true;
    reschedule();
    self.spins = false;
}

bool Engine::irq_save() {
    if (!current_) return true;
    return std::exchange(current_->irqs_on, false);
}

void Engine::irq_restore(bool enabled) {
    if (current_) current_->irqs_on = enabled;
}

void Engine::lock_taken(const void* lock, std::string_view name, bool spins) {
    if (!current_ || unwinder_) return;
    // The atomic that took it is a full barrier, and the last one if taking it needed several.
    memory_.full_barrier(current_->memory_port);
    FiberTask& self = *current_->current;
    if (!spins && current_->in_upcall)
        report("sleeps-in-atomic",
               "an upcall on top of '" + self.name() + "' takes '" + std::string(name) + "', which blocks");
    if (!self.locks.empty()) {
        if (auto cycle = lock_order_.add(self.locks.back().second, name)) report("lock-order", *cycle);
    }
    self.locks.emplace_back(lock, name);
}

void Engine::lock_dropped(const void* lock) {
    if (current_ && !unwinder_) {
        FiberTask& self = *current_->current;
        const auto held =
            std::find_if(self.locks.rbegin(), self.locks.rend(), [&](const auto& l) { return l.first == lock; });
        if (held != self.locks.rend()) self.locks.erase(std::next(held).base());
    }
    if (spinning_ == 0) return;
    for (const auto& cpu : cpus_) {
        if (cpu->spins_on.empty()) continue;
        cpu->spins_on.clear();
        --spinning_;
        update(*cpu);
    }
}

void Engine::defer_unwinding(bool on) {
    if (!current_ || !current_->current) return;
    unsigned& depth = current_->current->unwinding_deferred;
    on ? ++depth : --depth;
}

}  // namespace xenrig::engine
