#include "sim/engine/engine.h"

#include <algorithm>

#include "xenrig/abi/check.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig::engine {

Engine::Engine(Source& source, Config config)
    : config_(config),
      choices_(source),
      memory_(config.model, [this](std::uint32_t n) { return choices_.pick(value_stream_, n); }),
      outside_stream_(choices_.add_stream("outside.next", StreamKind::data)),
      value_stream_(choices_.add_stream(kAgeStream, StreamKind::schedule)),
      stride_stream_(choices_.add_stream("time.stride", StreamKind::data)),
      attention_(config.steps_max) {
    check(!scheduler && !shared::watcher, "one world a thread at a time");
    scheduler = this;
    shared::watcher = this;
}

Engine::~Engine() {
    for (auto& cpu : cpus_) cpu->kill();
    cpus_.clear();
    scheduler = nullptr;
    shared::watcher = nullptr;
}

Cpu& Engine::add_cpu(std::string name) {
    auto cpu = std::make_unique<VirtualCpu>(*this, name, cpus_made_++);
    cpu->run_stream = choices_.add_stream(name + ".run", StreamKind::schedule);
    cpu->sync_stream = choices_.add_stream(name + ".sync", StreamKind::sync);
    cpu->next_stream = choices_.add_stream(name + ".next", StreamKind::data);
    cpu->late_stream = choices_.add_stream(name + ".late", StreamKind::data);
    if (free_memory_ports_.empty()) {
        cpu->memory_port = memory_.add_cpu();
    } else {
        cpu->memory_port = free_memory_ports_.back();
        free_memory_ports_.pop_back();
    }
    return *cpus_.emplace_back(std::move(cpu));
}

void Engine::remove_cpu(Cpu& cpu) {
    auto& gone = static_cast<VirtualCpu&>(cpu);
    gone.kill();
    gone.upcall = nullptr;
    if (gone.run_listener) gone.run_listener->runner_ends();
    count_processors(gone, false);
    update(gone);
    memory_.full_barrier(gone.memory_port);
    free_memory_ports_.push_back(gone.memory_port);
    std::erase_if(cpus_, [&](const auto& c) { return c.get() == &gone; });
}

std::string Engine::cpu_name(std::uint16_t number) const {
    for (const auto& cpu : cpus_)
        if (cpu->number == number) return cpu->name();
    return number == kOutside ? "-" : "cpu" + std::to_string(number);
}

Stopped Engine::run() { return drive(); }

Stopped Engine::run_until(const std::function<bool()>& condition) {
    if (condition()) return Stopped::condition;
    condition_ = &condition;
    update_attention();
    const Stopped why = drive();
    condition_ = nullptr;
    update_attention();
    return why == Stopped::quiet && condition() ? Stopped::condition : why;
}

void Engine::at_step(std::uint64_t n, std::function<Cpu*()> hook) {
    hook_step_ = n;
    hook_ = std::move(hook);
    update_attention();
}

void Engine::update_attention() {
    const bool now = condition_ || !problems_.empty() || (current_ && (current_->paused != 0 || !current_->placed));
    attention_ = now ? 0 : std::min(hook_step_, config_.steps_max);
    if (counted_ != 0) attention_ = std::min(attention_, turn_end_step());
}

TimerId Engine::at(Nanoseconds deadline, std::function<void()> fire) {
    constexpr std::uint32_t kStrides = 7;
    // 1 to 4096.
    if (time_stride_ == 0) time_stride_ = 1ull << 2 * choices_.pick(stride_stream_, kStrides);
    const std::uint64_t id = ++timers_made_;
    timers_.emplace(std::pair{deadline.value, id}, std::move(fire));
    timer_deadlines_.emplace(id, deadline.value);
    if (counted_ != 0) update_attention();
    return TimerId{id};
}

bool Engine::cancel(TimerId timer) {
    const auto id = static_cast<std::uint64_t>(timer);
    const auto deadline = timer_deadlines_.find(id);
    if (deadline == timer_deadlines_.end()) return false;
    timers_.erase({deadline->second, id});
    timer_deadlines_.erase(deadline);
    return true;
}

bool Engine::pass_time() {
    if (timers_.empty()) return false;
    const auto first = timers_.begin();
    const auto [deadline, id] = first->first;
    const std::function<void()> fire = std::move(first->second);
    timers_.erase(first);
    timer_deadlines_.erase(id);
    now_.value = std::max(now_.value, deadline);
    record(Event::time, now_.value, id, 0);
    outside(fire);
    return true;
}

void Engine::from_outside(const std::function<void()>& body) { outside(body); }

std::uint32_t Engine::pick(std::uint32_t stream, std::uint32_t n) {
    const std::uint32_t value = choices_.pick(stream, n);
    record(Event::pick, stream, n, value);
    return value;
}

std::uint32_t Engine::add_stream(std::string name) { return choices_.add_stream(name, StreamKind::data); }

void Engine::trace(const char* what, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
    trace_.note(step_, current_ ? current_->number : kOutside, what, a, b, c);
}

void Engine::report(std::string oracle, std::string text) {
    problems_.push_back({std::move(oracle), std::move(text), step_});
    update_attention();
}

void Engine::check_quiet() {
    for (const auto& cpu : cpus_) {
        if (cpu->paused != 0) continue;
        for (const auto& task : cpu->tasks) {
            if (task->finished() || task->role() == TaskRole::service) continue;
            return report("quiet-with-work", "nothing can run any more, and '" + task->name() + "' is not finished.\n" +
                                                 wait_for_report());
        }
    }
}

std::string Engine::wait_for_report() const {
    std::string text;
    for (const auto& cpu : cpus_) {
        std::string how;
        if (cpu->paused != 0) how = " (paused)";
        if (cpu->halted) how += std::string(" (halted: ") + cpu->halted_why + ")";
        if (!cpu->spins_on.empty())
            how += " (spins on '" + cpu->spins_on + "', held by " +
                   (cpu->spin_holder ? "'" + cpu->spin_holder->name() + "'" : std::string("an upcall")) + ")";
        if (cpu->upcall) how += cpu->upcall->pending() ? " (upcall pending)" : "";
        for (const auto& task : cpu->tasks) {
            if (task->finished()) continue;
            text += "  " + cpu->name() + how + "  " + task->name();
            text += task->waits_on ? "  waits for " + task->waits_on->describe()
                                   : std::string("  stands where it was stopped");
            for (const auto& [lock, name] : task->locks) text += "; holds '" + std::string(name) + "'";
            text += '\n';
        }
    }
    return text;
}

}  // namespace xenrig::engine
