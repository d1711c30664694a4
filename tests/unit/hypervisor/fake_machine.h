// A machine for tests of the hypervisor alone: one thread, a clock that is moved by hand, and processors that run
// nothing but remember what was done to them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "xenrig/platform/machine.h"

namespace xenrig::test {

class FakeCpu final : public Cpu {
public:
    explicit FakeCpu(std::string name) : name_(std::move(name)) {}

    const std::string& name() const override { return name_; }
    Task& spawn(std::string, TaskRole, std::function<void()>) override { std::abort(); }
    void set_upcall(Upcall*) override {}
    void kick() override { ++kicks; }
    /// What the rest of the world does while this vCPU is halted: `meanwhile`, once. Comes back even if it is not over.
    void halt(const char* why, const std::function<bool()>& over) override {
        halted_for.emplace_back(why);
        still_halted = !over();
        if (still_halted && meanwhile) std::exchange(meanwhile, nullptr)();
        still_halted = !over();
    }
    void pause() override { ++pauses; }
    void unpause() override { --pauses; }
    void freeze() override {}
    void kill() override {}

    std::function<void()> meanwhile;
    std::vector<std::string> halted_for;
    bool still_halted = false;
    int kicks = 0;
    int pauses = 0;

private:
    std::string name_;
};

class FakeMachine final : public Machine {
public:
    Cpu& add_cpu(std::string name) override { return *cpus_.emplace_back(std::make_unique<FakeCpu>(std::move(name))); }
    void remove_cpu(Cpu&) override {}
    Nanoseconds now() const override { return now_; }
    TimerId at(Nanoseconds deadline, std::function<void()> fire) override {
        const TimerId id{++timers_made_};
        timers_.emplace(std::pair{deadline, timers_made_}, std::move(fire));
        return id;
    }
    bool cancel(TimerId id) override {
        return std::erase_if(timers_, [&](const auto& t) { return TimerId{t.first.second} == id; }) != 0;
    }
    void enter_hypervisor() override { ++inside; }
    void leave_hypervisor() override { --inside; }
    std::uint32_t pick(std::uint32_t, std::uint32_t) override { return 0; }
    std::uint32_t add_stream(std::string) override { return 0; }
    void trace(const char*, std::uint64_t, std::uint64_t, std::uint64_t) override { ++traced; }

    FakeCpu& cpu(std::string name) { return static_cast<FakeCpu&>(add_cpu(std::move(name))); }
    /// Lets time pass, and fires what is due.
    void pass(Nanoseconds time) {
        now_ = now_ + time;
        while (!timers_.empty() && timers_.begin()->first.first <= now_) {
            auto fire = std::move(timers_.begin()->second);
            timers_.erase(timers_.begin());
            fire();
        }
    }
    std::size_t timers() const { return timers_.size(); }

    int inside = 0;
    int traced = 0;

private:
    Nanoseconds now_{1'000'000};
    std::uint64_t timers_made_ = 0;
    std::map<std::pair<Nanoseconds, std::uint64_t>, std::function<void()>> timers_;
    std::vector<std::unique_ptr<FakeCpu>> cpus_;
};

}  // namespace xenrig::test
