// A machine without an engine, for the target `hypercall`: one thread, time that passes when it is told to, and vCPUs
// that run nothing.
//
// A hypercall that waits comes back at once; its vCPU can make no other one before the wait is over.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "xenrig/platform/machine.h"

namespace xenrig::fuzz {

class HandCpu final : public Cpu {
public:
    explicit HandCpu(std::string name) : name_(std::move(name)) {}

    /// Neither paused nor in a hypercall that waits.
    bool runs() {
        if (over_ && over_()) over_ = nullptr;
        return pauses_ == 0 && !over_;
    }

    const std::string& name() const override { return name_; }
    Task& spawn(std::string name, TaskRole role, std::function<void()> body) override;
    void set_upcall(Upcall*) override {}
    void kick() override {}
    void halt(const char*, const std::function<bool()>& over) override { over_ = over; }
    void pause() override { ++pauses_; }
    void unpause() override { --pauses_; }
    void freeze() override {}
    void kill() override {}

private:
    std::string name_;
    std::function<bool()> over_;
    int pauses_ = 0;
};

class HandMachine final : public Machine {
public:
    HandCpu& add_cpu(std::string name) override;
    void remove_cpu(Cpu&) override {}
    Nanoseconds now() const override { return now_; }
    TimerId at(Nanoseconds deadline, std::function<void()> fire) override;
    bool cancel(TimerId id) override;
    void enter_hypervisor() override {}
    void leave_hypervisor() override {}
    std::uint32_t pick(std::uint32_t, std::uint32_t) override { return 0; }
    std::uint32_t add_stream(std::string) override { return 0; }
    void trace(const char*, std::uint64_t, std::uint64_t, std::uint64_t) override {}

    /// Fires what is due meanwhile, at most `timers_max` of them: a short period would take for ever.
    void pass(Nanoseconds time, unsigned timers_max);
    std::size_t timers() const { return timers_.size(); }

private:
    Nanoseconds now_{1'000'000};
    std::uint64_t timers_made_ = 0;
    std::map<std::pair<Nanoseconds, std::uint64_t>, std::function<void()>> timers_;
    std::map<std::uint64_t, Nanoseconds> deadlines_;
    std::vector<std::unique_ptr<HandCpu>> cpus_;
};

}  // namespace xenrig::fuzz
