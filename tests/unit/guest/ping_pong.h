// Two tasks in two guests that send a number to and fro, through a granted page and an event channel.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <mutex>
#include <string>

#include "xenrig/guest/kernel.h"
#include "xenrig/shared/door.h"

namespace xenrig::guest::test {

/// What the guests would tell each other through the store.
struct Handshake {
    Port port{};
    GrantRef ref{};
    IrqLock lock{"handshake"};
    WaitQueue changed{"the handshake"};
    bool ready = false;
    /// One of the two has been killed.
    std::atomic<bool> death = false;

    void publish(Port p, GrantRef r) {
        const std::lock_guard held(lock);
        port = p;
        ref = r;
        ready = true;
        changed.wake_all();
    }
    void wait() {
        const std::lock_guard held(lock);
        changed.wait(lock, [&] { return ready; });
    }
};

/// A counter that an event handler raises and a task waits for.
struct Bell {
    explicit Bell(std::string name) : rung(std::move(name)) {}
    IrqLock lock{"bell"};
    WaitQueue rung;
    unsigned count = 0;

    void ring() {
        const std::lock_guard held(lock);
        ++count;
        rung.wake_all();
    }
    void wait_beyond(unsigned seen) {
        const std::lock_guard held(lock);
        rung.wait(lock, [&] { return count > seen; });
    }
    unsigned now() {
        const std::lock_guard held(lock);
        return count;
    }
};

inline constexpr std::size_t kPing = 0, kPong = 4;
inline constexpr std::uint32_t kRounds = 5;

/// Both go on until they would wait, with errors, when a domain has died: theirs, or the peer's.
template <class T>
bool went_well(const Handshake& handshake, const Result<T>& result) {
    EXPECT_TRUE(result || handshake.death) << result.error().to_string();
    return result.has_value();
}

/// Writes a number, rings, and waits for its echo.
inline void ping(Kernel& kernel, DomId peer, Handshake& handshake) {
    if (!went_well(handshake, kernel.boot())) return;
    const auto frame = *kernel.memory().allocate();
    const auto grant = kernel.grants().grant(peer, frame->gfn(), Access::read_write);
    if (!went_well(handshake, grant)) return;
    Bell bell("a pong");
    auto channel = kernel.events().alloc_unbound(peer, [&] { bell.ring(); });
    if (!went_well(handshake, channel)) return;
    const shared::Window page = kernel.memory().window(frame->gfn());
    handshake.publish(channel->port(), grant->ref());
    for (std::uint32_t round = 1; round <= kRounds; ++round) {
        shared::store<std::uint32_t>(page, kPing, round);
        shared::mb();
        // Until the peer has bound, this rings nobody; the peer looks once more when it has.
        (void)channel->notify();
        for (;;) {
            const unsigned seen = bell.now();
            if (shared::load<std::uint32_t>(page, kPong, shared::Fetch::poll) == round) break;
            bell.wait_beyond(seen);
        }
    }
}

inline void pong(Kernel& kernel, DomId peer, Handshake& handshake) {
    if (!went_well(handshake, kernel.boot())) return;
    handshake.wait();
    const std::array refs{handshake.ref};
    auto mapping = kernel.grants().map(peer, refs, Access::read_write);
    if (!went_well(handshake, mapping)) return;
    Bell bell("a ping");
    auto channel = kernel.events().bind_interdomain(peer, handshake.port, [&] { bell.ring(); });
    if (!went_well(handshake, channel)) return;
    const shared::Window& page = mapping->window();
    for (std::uint32_t last = 0; last != kRounds;) {
        const unsigned seen = bell.now();
        const auto round = shared::load<std::uint32_t>(page, kPing, shared::Fetch::poll);
        if (round == last) {
            bell.wait_beyond(seen);
            continue;
        }
        last = round;
        shared::store<std::uint32_t>(page, kPong, round);
        shared::mb();
        if (!went_well(handshake, channel->notify())) return;
    }
}

}  // namespace xenrig::guest::test
