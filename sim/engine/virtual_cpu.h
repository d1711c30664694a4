// A vCPU of the deterministic world and its tasks, each on a fiber. The engine (engine.h) switches them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/engine/choices.h"
#include "sim/engine/fetch_list.h"
#include "sim/fiber/fiber.h"
#include "xenrig/platform/cpu.h"

namespace xenrig {
class WaitQueue;
}

namespace xenrig::shared {
class Window;
}

namespace xenrig::engine {

class Engine;
class VirtualCpu;

class FiberTask final : public Task {
public:
    enum class State : std::uint8_t { ready, running, parked, finished };

    FiberTask(VirtualCpu& home, std::string label, TaskRole kind, std::function<void()> work);

    const std::string& name() const override { return name_; }
    TaskRole role() const override { return role_; }
    bool finished() const override { return state == State::finished; }

    VirtualCpu& cpu;
    State state = State::ready;
    /// A wake() that found the task not parked.
    bool woken = false;
    /// Waits in spin(), or for a processor: a death lets it go on.
    bool spins = false;
    /// Its domain died: it is to unwind at the next place where it would block.
    bool cancelled = false;
    bool started = false;
    /// In work(), and what is left of it when that was broken off.
    bool working = false;
    Nanoseconds owed{};
    const WaitQueue* waits_on = nullptr;
    /// Locks held, in the order taken.
    std::vector<std::pair<const void*, std::string_view>> locks;
    FetchList fetched;
    /// Depth of defer_unwinding().
    unsigned unwinding_deferred = 0;
    std::unique_ptr<Fiber> fiber;

private:
    static void run(void* self);

    std::string name_;
    TaskRole role_;
    std::function<void()> body_;
};

class VirtualCpu final : public Cpu {
public:
    VirtualCpu(Engine& owner, std::string label, std::uint16_t id);
    ~VirtualCpu() override;

    const std::string& name() const override { return name_; }
    Task& spawn(std::string name, TaskRole role, std::function<void()> body) override;
    void set_upcall(Upcall* u) override { upcall = u; }
    void kick() override;
    void halt(const char* why, const std::function<bool()>& over) override;
    void pause() override;
    void unpause() override;
    /// Nobody runs but the caller.
    void freeze() override { pause(); }
    void kill() override;
    bool set_run_listener(RunListener* listener, bool counted) override;
    void drop_run_listener(RunListener* listener) override;
    void place(bool on_processor) override;

    bool upcall_deliverable() const { return upcall && irqs_on && !in_upcall && !halted && upcall->pending(); }
    /// May anything of this vCPU run now?
    bool can_run() const;
    /// The same, if it had a processor.
    bool has_work() const;
    /// Tasks may be switched here (no upcall, no spin lock).
    bool preemptible() const { return irqs_on && !in_upcall; }
    void make_ready(FiberTask& task);
    FiberTask& idle_task();

    Engine& engine;
    const std::uint16_t number;
    std::vector<std::unique_ptr<FiberTask>> tasks;
    std::deque<FiberTask*> ready;
    /// Whose fiber runs when this vCPU runs; perhaps parked, and then in the scheduler's loop.
    FiberTask* current = nullptr;
    Upcall* upcall = nullptr;
    const std::function<bool()>* halted = nullptr;
    const char* halted_why = nullptr;
    unsigned paused = 0;
    bool in_upcall = false;
    bool irqs_on = true;
    /// Waits for a spin lock that another vCPU holds.
    std::string spins_on;
    const Task* spin_holder = nullptr;
    /// Position in the engine's list of runnable vCPUs, or none.
    std::size_t runnable_at = kNotRunnable;
    /// Asked at shared accesses and hypercalls, at locks, and when the running task can't go on.
    StreamId run_stream, sync_stream, next_stream;
    /// Asked where stores wait that are late.
    StreamId late_stream;
    /// Engine::stores_late(), and whether one of them may be in the buffer.
    std::function<bool(const shared::Window&, std::size_t)> stores_late;
    bool holds_stores = false;
    std::size_t memory_port;

    // The second layer of scheduling (processor_time.cpp).
    RunListener* run_listener = nullptr;
    bool listener_knows_of_work = false;
    bool counted = false;
    bool placed = true;
    /// Counted: the time up to which it has computed.
    Nanoseconds clock{};

    static constexpr std::size_t kNotRunnable = ~std::size_t{0};

private:
    std::string name_;
    std::unique_ptr<FiberTask> idle_;
};

}  // namespace xenrig::engine
