#include "watches.h"

#include <algorithm>
#include <mutex>

#include "xenrig/platform/polite_wait.h"
#include "xenrig/platform/scheduler.h"

namespace xenrig::host {

std::uint64_t HostStore::Watches::add(const std::string& path, WatchHandler handler) {
    auto registration = std::make_shared<Registration>(path, std::move(handler));
    const std::lock_guard held(lock_);
    registered_[next_token_] = std::move(registration);
    return next_token_++;
}

std::string HostStore::Watches::remove(std::uint64_t token) {
    const std::lock_guard held(lock_);
    const auto found = registered_.find(token);
    if (found == registered_.end()) return {};
    const std::shared_ptr<Registration> registration = std::move(found->second);
    registered_.erase(found);
    std::erase_if(events_, [&](const Event& e) { return e.first == token; });
    Task* const self = scheduler ? scheduler->current_task() : nullptr;
    // Outside any task nobody can wait: tasks are not switched to any more.
    if (self && self != serving_) polite_wait(handler_done_, lock_, [&] { return running_ != token; });
    return registration->path;
}

void HostStore::Watches::queue(std::uint64_t token, std::string path) {
    const std::lock_guard held(lock_);
    Event event(token, std::move(path));
    if (!registered_.contains(token) || std::ranges::find(events_, event) != events_.end()) return;
    events_.push_back(std::move(event));
    event_waiting_.wake_all();
}

void HostStore::Watches::serve() {
    for (;;) {
        Event event;
        std::shared_ptr<Registration> registration;
        {
            const std::lock_guard held(lock_);
            serving_ = scheduler->current_task();
            event_waiting_.wait(lock_, [&] { return !events_.empty(); });
            event = std::move(events_.front());
            events_.pop_front();
            registration = registered_.at(event.first);
            running_ = event.first;
        }
        struct Ran {
            Watches& watches;
            ~Ran() {
                const std::lock_guard held(watches.lock_);
                watches.running_ = 0;
                watches.handler_done_.wake_all();
            }
        } const ran{*this};
        registration->handler(event.second);
    }
}

std::size_t HostStore::Watches::size() const {
    const std::lock_guard held(lock_);
    return registered_.size();
}

}  // namespace xenrig::host
