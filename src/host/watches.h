// The watches of a store client and their events, on the way from the thread that takes them to the task that runs
// handlers.
//
// An event that already waits is not queued again, so a handler that is slow costs no memory (XSA-326).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "xenrig/host/store.h"
#include "xenrig/platform/lock.h"
#include "xenrig/platform/wait_queue.h"

namespace xenrig {
class Task;
}

namespace xenrig::host {

class HostStore::Watches {
public:
    /// The number that is the watch's token in the store. Before the daemon is asked: the first event may overtake its
    /// answer.
    std::uint64_t add(const std::string& path, WatchHandler handler);
    /// On return the handler is not running, unless the caller is it, and will not run. The path that was watched;
    /// empty when there is no such watch any more.
    std::string remove(std::uint64_t token);

    /// From any thread with a scheduler.
    void queue(std::uint64_t token, std::string path);
    /// Runs handlers; never returns.
    void serve();

    std::size_t size() const;

private:
    struct Registration {
        std::string path;
        WatchHandler handler;
    };
    using Event = std::pair<std::uint64_t, std::string>;

    mutable IrqLock lock_{"host store watches"};
    WaitQueue event_waiting_{"a watch event"};
    WaitQueue handler_done_{"a watch handler to return"};
    // Under the lock.
    std::uint64_t next_token_ = 1;
    std::map<std::uint64_t, std::shared_ptr<Registration>> registered_;
    std::deque<Event> events_;
    Task* serving_ = nullptr;
    std::uint64_t running_ = 0;
};

}  // namespace xenrig::host
