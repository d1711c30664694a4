#include "sim/fuzz/hand_machine.h"

#include "xenrig/abi/check.h"

namespace xenrig::fuzz {

Task& HandCpu::spawn(std::string, TaskRole, std::function<void()>) {
    check_failed("nothing runs on a machine without an engine", std::source_location::current());
}

HandCpu& HandMachine::add_cpu(std::string name) {
    return *cpus_.emplace_back(std::make_unique<HandCpu>(std::move(name)));
}

TimerId HandMachine::at(Nanoseconds deadline, std::function<void()> fire) {
    const std::uint64_t id = ++timers_made_;
    timers_.emplace(std::pair{deadline, id}, std::move(fire));
    deadlines_.emplace(id, deadline);
    return TimerId{id};
}

bool HandMachine::cancel(TimerId id) {
    const auto found = deadlines_.find(static_cast<std::uint64_t>(id));
    if (found == deadlines_.end()) return false;
    timers_.erase({found->second, found->first});
    deadlines_.erase(found);
    return true;
}

void HandMachine::pass(Nanoseconds time, unsigned timers_max) {
    now_ = now_ + time;
    while (timers_max-- != 0 && !timers_.empty() && timers_.begin()->first.first <= now_) {
        const auto fire = std::move(timers_.begin()->second);
        deadlines_.erase(timers_.begin()->first.second);
        timers_.erase(timers_.begin());
        fire();
    }
}

}  // namespace xenrig::fuzz
