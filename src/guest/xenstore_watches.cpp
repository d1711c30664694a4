// Watches: registered with the daemon, fired in a task of their own; and the suspend of the whole client.
#include <algorithm>
#include <charconv>
#include <mutex>

#include "text.h"
#include "xenrig/platform/polite_wait.h"
#include "xenstore_request.h"

namespace xenrig::guest {

namespace {

/// A token on the wire names the watch by its number.
std::string watch_payload(const std::string& path, std::uint64_t token) {
    return with_nul(path) + with_nul(dec(token));
}

}  // namespace

bool XenstoreClient::queue_event(std::string_view body) {
    std::vector<std::string> strings;
    if (!split_strings(body, strings) || strings.size() < 2) return false;
    const std::string& text = strings[1];
    std::uint64_t token = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), token);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return false;

    const std::lock_guard held(lock_);
    if (!watches_.contains(token)) return false;
    // Level-triggered: an equal one that nobody has seen yet says the same, and keeps what a peer can cost us bounded.
    const auto equal = [&](const Event& e) { return e.token == token && e.path == strings[0]; };
    if (std::any_of(events_waiting_.begin(), events_waiting_.end(), equal)) return true;
    events_waiting_.push_back({token, std::move(strings[0])});
    event_waiting_.wake_one();
    return true;
}

void XenstoreClient::serve_watches() {
    for (;;) {
        Event event;
        std::shared_ptr<Registration> registration;
        {
            const std::lock_guard held(lock_);
            watch_task_ = scheduler->current_task();
            event_waiting_.wait(lock_, [&] { return !events_waiting_.empty(); });
            event = std::move(events_waiting_.front());
            events_waiting_.pop_front();
            const auto found = watches_.find(event.token);
            if (found == watches_.end()) continue;
            registration = found->second;
            running_ = event.token;
        }
        struct Ran {
            XenstoreClient& store;
            ~Ran() {
                const std::lock_guard held(store.lock_);
                store.running_ = 0;
                store.handler_done_.wake_all();
            }
        } const ran{*this};
        registration->handler(event.path);
    }
}

Result<Watch> XenstoreClient::watch(const std::string& path, WatchHandler handler) {
    const Use use(*this);
    auto registration = std::make_shared<Registration>();
    registration->path = path;
    registration->handler = std::move(handler);
    std::uint64_t token;
    {
        // Before the request: the first event may overtake the reply.
        const std::lock_guard held(lock_);
        token = next_token_++;
        watches_[token] = registration;
    }
    Watch watch(*this, token);
    const auto reply = talk(XS_WATCH, StoreTx::none, watch_payload(path, token));
    if (!reply) return std::unexpected(reply.error());
    const std::lock_guard held(lock_);
    registration->registered = true;
    return watch;
}

void XenstoreClient::unwatch(std::uint64_t token) {
    std::shared_ptr<Registration> registration;
    bool registered = false;
    {
        const std::lock_guard held(lock_);
        const auto found = watches_.find(token);
        if (found == watches_.end()) return;
        registration = std::move(found->second);
        registered = registration->registered;
        watches_.erase(found);
        std::erase_if(events_waiting_, [&](const Event& e) { return e.token == token; });
    }
    Task* const self = scheduler ? scheduler->current_task() : nullptr;
    // Outside any task nobody can wait for an answer; the daemon's later events find no watch, and are dropped.
    if (!self) return;
    if (registered && link_.alive() && !scheduler->unwinding()) {
        const Use use(*this);
        (void)talk(XS_UNWATCH, StoreTx::none, watch_payload(registration->path, token));
    }
    const std::lock_guard held(lock_);
    if (self != watch_task_) polite_wait(handler_done_, lock_, [&] { return running_ != token; });
}

std::size_t XenstoreClient::watches_in_use() const {
    const std::lock_guard held(lock_);
    return watches_.size();
}

// --- Suspend and resume ----------------------------------------------------------------------------------------------

void XenstoreClient::suspend() {
    {
        const std::lock_guard held(lock_);
        suspending_ = true;
        quiet_.wait(lock_, [&] { return users_ == 0 && transactions_.empty(); });
    }
    // Nobody stands in the middle of an access to the ring.
    writing_.lock();
    reading_.lock();
}

Result<> XenstoreClient::resume(const RingPage* ring) {
    Result<> connected;
    if (ring) connected = connect(*ring);
    reading_.unlock();
    writing_.unlock();

    std::vector<std::pair<std::uint64_t, std::shared_ptr<Registration>>> again;
    if (ring && connected) {
        const std::lock_guard held(lock_);
        for (const auto& [token, registration] : watches_)
            if (registration->registered) again.emplace_back(token, registration);
    }
    for (const auto& [token, registration] : again) {
        // ENOSPC and the like lose the watch; who set it hears of nothing, as on a real daemon.
        const auto reply = talk(XS_WATCH, StoreTx::none, watch_payload(registration->path, token));
        const std::lock_guard held(lock_);
        registration->registered = reply.has_value();
    }
    const std::lock_guard held(lock_);
    suspending_ = false;
    if (!connected) broken_ = connected.error().to_string();
    gate_.wake_all();
    return connected;
}

}  // namespace xenrig::guest
