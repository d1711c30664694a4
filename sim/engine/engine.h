// The deterministic world: vCPUs on fibers, virtual time, and a choice before every step that others could see.
//
// One thread, one engine. Code enters at choice points: an access through the door, a lock, a hypercall. There the
// engine may switch the vCPU or the task, deliver an upcall right here, let a buffered store become visible, or let
// time pass; which, the choices say. Nothing else is left to chance, so the same choices give the same trace.
//
// run() drives all that can run until the world is quiet. Quiet with a work task unfinished is a problem, and the
// report says who waits for what.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sim/engine/choices.h"
#include "sim/engine/lock_order.h"
#include "sim/engine/memory_model.h"
#include "sim/engine/problem.h"
#include "sim/engine/trace.h"
#include "sim/engine/virtual_cpu.h"
#include "sim/fiber/fiber.h"
#include "xenrig/platform/machine.h"
#include "xenrig/platform/scheduler.h"
#include "xenrig/shared/watcher.h"

namespace xenrig::engine {

struct Config {
    Model model = Model::sc;
    /// A run that takes more steps without going quiet is reported as a livelock.
    std::uint64_t steps_max = 50'000'000;
    /// May time pass while something could still run? A vCPU may be descheduled at any step for any while.
    bool time_passes = true;
    /// What a step takes on a processor that is counted: a shared access or a lock, and the code around it.
    Nanoseconds step_time{200};
    /// One round of a spin lock's loop there: some ten PAUSEs, and a look at the lock.
    Nanoseconds spin_time{500};
};

/// What the second layer of scheduling cost the guests.
struct ProcessorCounts {
    /// Rounds of spin loops on counted processors.
    std::uint64_t spins = 0;
    /// vCPUs that lost their processor in the middle of a critical section.
    std::uint64_t holder_descheduled = 0;
};

enum class Stopped : std::uint8_t { quiet, condition, problem };

class Engine final : public Machine, public Scheduler, public shared::Watcher {
public:
    Engine(Source& source, Config config);
    ~Engine() override;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Until nothing can run, or a problem is found.
    Stopped run();
    /// Until `condition()`, which is looked at before each step.
    Stopped run_until(const std::function<bool()>& condition);

    /// From now on stores of this vCPU to places that `late` says become visible in the worst order that the model
    /// allows: one leaves the buffer only when a barrier forces it out, of those that may go first the newest. The
    /// others may run at every access while any waits, and before each load from there. What a missing barrier does
    /// shows in few runs. See LateSource.
    void stores_late(Cpu& cpu, std::function<bool(const shared::Window&, std::size_t offset)> late);

    /// Before step `n`, `hook` runs, outside any vCPU. The vCPU that it returns, if any, runs next.
    void at_step(std::uint64_t n, std::function<Cpu*()> hook);
    /// Runs `body` at once as if no task called it: what it does is no step and does not wait. For ends that come from
    /// outside, as a crash does.
    void from_outside(const std::function<void()>& body);

    std::uint64_t steps() const { return step_; }
    const Trace& trace_log() const { return trace_; }
    /// Hears every record of the trace.
    void set_listener(std::function<void(const Record&)> listener) { trace_.set_listener(std::move(listener)); }
    const Choices& choices() const { return choices_; }
    /// Choices::renew()
    void renew_choices() { choices_.renew(); }
    /// Loads, stores and atomics of shared memory through the door.
    std::uint64_t accesses() const { return accesses_; }
    const Config& config() const { return config_; }

    /// The first problem stops the run.
    void report(std::string oracle, std::string text);
    const std::vector<Problem>& problems() const { return problems_; }
    /// All that waits, and for what.
    std::string wait_for_report() const;
    std::uint64_t upcalls() const { return upcalls_; }
    std::uint64_t switches() const { return switches_; }
    const ProcessorCounts& processor_counts() const { return processor_counts_; }
    std::string cpu_name(std::uint16_t number) const;

    // Machine
    Cpu& add_cpu(std::string name) override;
    void remove_cpu(Cpu& cpu) override;
    Nanoseconds now() const override;
    TimerId at(Nanoseconds deadline, std::function<void()> fire) override;
    bool cancel(TimerId) override;
    void enter_hypervisor() override {}
    void leave_hypervisor() override {}
    std::uint32_t pick(std::uint32_t stream, std::uint32_t n) override;
    std::uint32_t add_stream(std::string name) override;
    void trace(const char* what, std::uint64_t a, std::uint64_t b, std::uint64_t c) override;

    // Scheduler
    Task* current_task() override;
    Cpu* current_cpu() override { return current_; }
    bool in_upcall() override { return current_ && current_->in_upcall; }
    void point(Step step, std::uint64_t object) override;
    void park(const WaitQueue& on) override;
    void wake(Task& task) override;
    void yield() override;
    void spin(std::string_view lock, const Task* holder) override;
    bool irq_save() override;
    void irq_restore(bool enabled) override;
    void lock_taken(const void* lock, std::string_view name, bool spins) override;
    void lock_dropped(const void* lock) override;
    bool unwinding() override { return unwinder_ != nullptr; }
    void defer_unwinding(bool on) override;
    Nanoseconds now() override { return std::as_const(*this).now(); }
    void work(Nanoseconds duration) override;
    bool on_vcpu(const Task& task) override;

    // Watcher
    void load(const shared::Window&, std::size_t, void*, std::size_t, shared::Fetch, std::source_location) override;
    void store(const shared::Window&, std::size_t, const void*, std::size_t, std::source_location) override;
    void store_now(const shared::Window&, std::size_t, const void*, std::size_t, std::source_location) override;
    std::uint64_t rmw(const shared::Window&, std::size_t, unsigned, shared::Rmw, std::uint64_t, std::uint64_t,
                      std::source_location) override;
    void barrier(shared::Barrier, std::source_location) override;
    void new_decision() override;

private:
    friend class VirtualCpu;
    friend class FiberTask;

    /// The step's inline half; the other is decide(). Nothing outside vCPUs and in a task that is being unwound.
    void choice_point() {
        if (!current_ || unwinder_) return;
        choice_point(current_->run_stream);
    }
    void choice_point(StreamId stream) {
        ++step_;
        if (step_ < attention_ && choices_.pass(stream)) [[likely]]
            return;
        decide(stream);
    }
    void decide(StreamId stream);
    void attend();
    void stop_here(Stopped why);
    /// Outside any vCPU, on whatever stack: what `body` does is no step.
    template <class F>
    auto outside(F body) {
        if (counted_ != 0) charge();
        VirtualCpu* here = std::exchange(current_, nullptr);
        VirtualCpu* on = here ? std::exchange(outside_on_, here) : outside_on_;
        auto back = [&] {
            current_ = here;
            outside_on_ = on;
            if (counted_ != 0) update_attention();
        };
        if constexpr (std::is_void_v<decltype(body())>) {
            body();
            back();
        } else {
            auto result = body();
            back();
            return result;
        }
    }

    /// The current task can't go on, or `yields`: all others come first, once. Returns when it may.
    void reschedule(bool yields = false);
    void block_cancelled(FiberTask& self);
    bool pass_time();
    /// Here, though somebody can run. At every choice point, or at each fourth, sixteenth and so on: worlds differ in
    /// how slow their devices are.
    bool time_may_pass() const {
        return config_.time_passes && counted_ == 0 && !timers_.empty() && step_ % time_stride_ == 0;
    }
    void drain_one(std::uint32_t index);
    std::uint32_t drainable() const;
    void drain_everything();
    /// A full barrier of the current vCPU.
    void full_barrier();
    /// Late stores of the current vCPU's wait.
    bool stores_wait() const {
        return current_ && current_->holds_stores && !unwinder_ && !memory_.empty(current_->memory_port);
    }
    bool loads_late_place(const shared::Window& w, std::size_t offset) const {
        return current_ && current_->stores_late && !unwinder_ && current_->stores_late(w, offset);
    }
    void stored(VirtualCpu& cpu, const shared::Window& w, std::size_t offset);
    void let_others_look();
    /// The i-th runnable vCPU after the current one, round and round.
    VirtualCpu& other_runnable(std::uint32_t i) const;
    std::uint32_t others_runnable() const;

    // Where processors are counted, time passes by work, and no vCPU gets ahead of the others (processor_time.cpp).
    void count_processors(VirtualCpu& cpu, bool counted);
    void charge();
    void begin_turn();
    void keep_pace();
    void stand_aside();
    void spin_in_time();
    void break_off_work(VirtualCpu& cpu);
    void enter_processor(VirtualCpu& cpu);
    void leave_processor(VirtualCpu& cpu);
    void switch_to(VirtualCpu& cpu);
    /// The least clock of all that can run; all ones when none is counted.
    std::uint64_t least_clock() const;
    bool in_step(const VirtualCpu& cpu, std::uint64_t least) const;
    std::uint64_t turn_end_step() const;

    // Inline into the scheduler's two loops (fiber.h says why).
    [[gnu::always_inline]] void switch_cpu(VirtualCpu& to);
    [[gnu::always_inline]] void switch_task(VirtualCpu& cpu, FiberTask& from, FiberTask& to);
    [[gnu::always_inline]] void enter(Fiber& from, VirtualCpu& to);
    void arrived() {
        if (reap_) [[unlikely]]
            std::exchange(reap_, nullptr)->fiber.reset();
    }
    void deliver_upcall(VirtualCpu& cpu);
    void update(VirtualCpu& cpu);
    void update_attention();
    void finish(FiberTask& task);
    void unwind(FiberTask& task);
    bool lease_ok(const shared::Window&, std::size_t offset, bool write, std::source_location where);
    Stopped drive();
    void check_quiet();
    void record(Event e, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
        trace_.add(step_, current_ ? current_->number : kOutside, e, a, b, c);
    }

    static constexpr std::uint16_t kOutside = 0xffff;

    Config config_;
    Choices choices_;
    Trace trace_;
    MemoryModel memory_;
    LockOrder lock_order_;
    Fiber outside_;  ///< the thread that calls run()
    /// Whose task's stack an outside() runs on; null for the thread's own.
    VirtualCpu* outside_on_ = nullptr;
    std::vector<std::unique_ptr<VirtualCpu>> cpus_;
    std::vector<std::size_t> free_memory_ports_;
    std::vector<VirtualCpu*> runnable_;
    VirtualCpu* current_ = nullptr;
    /// Where run() left off in the middle of a step.
    VirtualCpu* resume_ = nullptr;
    StreamId outside_stream_, value_stream_, stride_stream_;
    /// 0 until there is a timer.
    std::uint64_t time_stride_ = 0;

    std::uint64_t step_ = 0;
    /// The step before which more than a choice has to be looked at.
    std::uint64_t attention_;
    std::uint64_t hook_step_ = ~0ull;
    std::function<Cpu*()> hook_;
    const std::function<bool()>* condition_ = nullptr;
    Stopped stopped_ = Stopped::quiet;

    Nanoseconds now_{};
    std::uint64_t timers_made_ = 0;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::function<void()>> timers_;
    std::map<std::uint64_t, std::uint64_t> timer_deadlines_;

    unsigned counted_ = 0;
    /// From where the current vCPU's steps are not charged yet.
    std::uint64_t turn_step_ = 0;
    /// How far a vCPU may get ahead of the slowest: worlds differ in how unlike their processors are.
    std::optional<Nanoseconds> window_;
    ProcessorCounts processor_counts_;

    Fiber* unwinder_ = nullptr;
    /// A task that has finished and left its stack for good.
    FiberTask* reap_ = nullptr;
    unsigned spinning_ = 0;
    std::vector<Problem> problems_;
    std::uint64_t upcalls_ = 0, switches_ = 0, accesses_ = 0;
    std::uint16_t cpus_made_ = 0;
};

}  // namespace xenrig::engine
