#include "sim/engine/virtual_cpu.h"

#include <algorithm>

#include "sim/engine/engine.h"
#include "xenrig/abi/check.h"

namespace xenrig::engine {

FiberTask::FiberTask(VirtualCpu& home, std::string label, TaskRole kind, std::function<void()> work)
    : cpu(home),
      fiber(std::make_unique<Fiber>(&FiberTask::run, this)),
      name_(std::move(label)),
      role_(kind),
      body_(std::move(work)) {}

void FiberTask::run(void* self) {
    auto& task = *static_cast<FiberTask*>(self);
    task.started = true;
    Engine& engine = task.cpu.engine;
    engine.arrived();
    try {
        task.body_();
    } catch (const Unwound&) {
        check(task.cancelled, "only a task whose domain died is unwound");
    }
    // What the body captured may hold the last reference to a frame or a grant.
    task.body_ = nullptr;
    engine.finish(task);
}

VirtualCpu::VirtualCpu(Engine& owner, std::string label, std::uint16_t id)
    : engine(owner),
      number(id),
      run_stream(0),
      sync_stream(0),
      next_stream(0),
      late_stream(0),
      memory_port(0),
      name_(std::move(label)) {}

VirtualCpu::~VirtualCpu() = default;

Task& VirtualCpu::spawn(std::string name, TaskRole role, std::function<void()> body) {
    FiberTask& task = *tasks.emplace_back(std::make_unique<FiberTask>(*this, std::move(name), role, std::move(body)));
    make_ready(task);
    return task;
}

void VirtualCpu::make_ready(FiberTask& task) {
    task.state = FiberTask::State::ready;
    ready.push_back(&task);
    engine.update(*this);
}

FiberTask& VirtualCpu::idle_task() {
    if (!idle_) {
        idle_ = std::make_unique<FiberTask>(*this, name_ + " idle", TaskRole::service, [] {});
        idle_->state = FiberTask::State::parked;
    }
    return *idle_;
}

bool VirtualCpu::can_run() const { return placed && spins_on.empty() && has_work(); }

bool VirtualCpu::has_work() const {
    if (paused != 0) return false;
    if (halted) return (*halted)();
    // An upcall goes on whatever the task under it waits for.
    if (in_upcall || (current && current->state == FiberTask::State::running)) return true;
    return !ready.empty() || upcall_deliverable();
}

void VirtualCpu::kick() {
    if (counted && upcall_deliverable()) engine.break_off_work(*this);
    engine.update(*this);
}

void VirtualCpu::halt(const char* why, const std::function<bool()>& over) {
    check(engine.current_ == this, "a vCPU halts itself");
    while (!over()) {
        halted = &over;
        halted_why = why;
        engine.memory_.full_barrier(memory_port);
        engine.reschedule();
        halted = nullptr;
    }
}

void VirtualCpu::pause() {
    ++paused;
    engine.memory_.drain_all(memory_port);
    engine.update(*this);
    engine.update_attention();
}

void VirtualCpu::unpause() {
    check(paused != 0, "a vCPU is unpaused as often as it was paused");
    --paused;
    engine.update(*this);
    engine.update_attention();
}

void VirtualCpu::kill() {
    check(engine.current_ != this, "a vCPU is killed from outside");
    engine.memory_.drain_all(memory_port);
    // A task that holds what another's destructor waits for may come later in the list.
    constexpr int kPasses = 100;
    const auto alive = [](const auto& task) { return !task->finished(); };
    for (int pass = 0; pass < kPasses && std::any_of(tasks.begin(), tasks.end(), alive); ++pass) {
        for (std::size_t i = 0; i < tasks.size(); ++i)
            if (!tasks[i]->finished()) engine.unwind(*tasks[i]);
    }
    check(std::none_of(tasks.begin(), tasks.end(), alive),
          "a killed domain's tasks unwind without waiting for each other");
    ready.clear();
    current = nullptr;
    halted = nullptr;
    if (!spins_on.empty()) --engine.spinning_;
    spins_on.clear();
    in_upcall = false;
    irqs_on = true;
    if (engine.resume_ == this) engine.resume_ = nullptr;
    engine.update(*this);
}

bool VirtualCpu::set_run_listener(RunListener* listener, bool on_counted) {
    engine.count_processors(*this, on_counted);
    placed = !on_counted;
    run_listener = listener;
    listener_knows_of_work = has_work();
    if (listener) listener->has_work(listener_knows_of_work);
    engine.update(*this);
    engine.update_attention();
    return true;
}

void VirtualCpu::drop_run_listener(RunListener* listener) {
    if (run_listener == listener) set_run_listener(nullptr, false);
}

void VirtualCpu::place(bool on_processor) {
    if (placed == on_processor) return;
    on_processor ? engine.enter_processor(*this) : engine.leave_processor(*this);
    placed = on_processor;
    engine.update(*this);
    engine.update_attention();
}

}  // namespace xenrig::engine
