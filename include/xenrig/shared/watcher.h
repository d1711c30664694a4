// Who sees each access to shared memory: the simulated world, when there is one.
//
// With no watcher an access is a relaxed atomic and a barrier is a fence. With one, each access is announced before it
// is performed, and the watcher performs it: it may switch to another vCPU first, refuse a dead window, let a store
// wait in a buffer, or answer a load with an older value. One watcher a thread, because a world never leaves its
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>

#include "xenrig/shared/window.h"

namespace xenrig::shared {

enum class Barrier : std::uint8_t { read, write, full };

/// Read-modify-write, done in one step, and a full barrier on every machine that Xen runs on.
enum class Rmw : std::uint8_t { exchange, compare_exchange, fetch_or, fetch_and };

/// An index is polled: reading it again is how a ring works, not a double fetch.
enum class Fetch : std::uint8_t { once, poll };

class Watcher {
public:
    virtual ~Watcher() = default;

    virtual void load(const Window&, std::size_t offset, void* out, std::size_t length, Fetch,
                      std::source_location) = 0;
    virtual void store(const Window&, std::size_t offset, const void* in, std::size_t length, std::source_location) = 0;
    /// Visible to all at once, whatever the memory model.
    virtual void store_now(const Window&, std::size_t offset, const void* in, std::size_t length,
                           std::source_location) = 0;
    /// `width` is 1, 2, 4 or 8 bytes, aligned. `expected` is used by compare_exchange alone. Returns the old value.
    virtual std::uint64_t rmw(const Window&, std::size_t offset, unsigned width, Rmw, std::uint64_t operand,
                              std::uint64_t expected, std::source_location) = 0;
    virtual void barrier(Barrier, std::source_location) = 0;
    /// What was fetched so far belongs to an earlier decision.
    virtual void new_decision() = 0;
};

/// The world that runs on this thread, or null.
inline constinit thread_local Watcher* watcher = nullptr;

}  // namespace xenrig::shared
