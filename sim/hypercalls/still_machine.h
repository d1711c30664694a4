// What is under the hypervisor of a script: one caller at a time, no processors, and a clock that stands.
#pragma once

#include "xenrig/abi/check.h"
#include "xenrig/platform/machine.h"

namespace xenrig::hypercalls {

class StillMachine final : public Machine {
public:
    Cpu& add_cpu(std::string) override {
        check_failed("nothing runs beside a bare kernel", std::source_location::current());
    }
    void remove_cpu(Cpu&) override {}
    Nanoseconds now() const override { return Nanoseconds{1'000'000}; }
    TimerId at(Nanoseconds, std::function<void()>) override { return TimerId{++timers_}; }
    bool cancel(TimerId) override { return true; }
    void enter_hypervisor() override {}
    void leave_hypervisor() override {}
    std::uint32_t pick(std::uint32_t, std::uint32_t) override { return 0; }
    std::uint32_t add_stream(std::string) override { return 0; }
    void trace(const char*, std::uint64_t, std::uint64_t, std::uint64_t) override {}

private:
    std::uint64_t timers_ = 0;
};

}  // namespace xenrig::hypercalls
