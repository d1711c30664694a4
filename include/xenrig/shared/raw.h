// The accesses themselves, with nobody watching: relaxed atomics and fences, so that neither the compiler nor
// ThreadSanitizer sees a plain race on bytes that the peer writes.
//
// For the door (door.h) and for watchers that perform an access; drivers never include this.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "xenrig/shared/watcher.h"
#include "xenrig/shared/window.h"

namespace xenrig::shared::raw {

template <class T>
T load(const std::byte* at) {
    return __atomic_load_n(reinterpret_cast<const T*>(at), __ATOMIC_RELAXED);
}

template <class T>
void store(std::byte* at, T value) {
    __atomic_store_n(reinterpret_cast<T*>(at), value, __ATOMIC_RELAXED);
}

inline bool aligned(const std::byte* at, std::size_t to) { return reinterpret_cast<std::uintptr_t>(at) % to == 0; }

/// Word by word where the page's side is aligned, else byte by byte; the private side may be anywhere.
inline void copy_from_page(const std::byte* from, std::byte* to, std::size_t length) {
    if (aligned(from, 8))
        for (; length >= 8; from += 8, to += 8, length -= 8) {
            const auto v = load<std::uint64_t>(from);
            std::memcpy(to, &v, 8);
        }
    while (length != 0) {
        std::size_t step = 1;
        if (length >= 8 && aligned(from, 8)) {
            const auto v = load<std::uint64_t>(from);
            std::memcpy(to, &v, step = 8);
        } else if (length >= 4 && aligned(from, 4)) {
            const auto v = load<std::uint32_t>(from);
            std::memcpy(to, &v, step = 4);
        } else if (length >= 2 && aligned(from, 2)) {
            const auto v = load<std::uint16_t>(from);
            std::memcpy(to, &v, step = 2);
        } else {
            *to = static_cast<std::byte>(load<std::uint8_t>(from));
        }
        from += step, to += step, length -= step;
    }
}

inline void copy_to_page(std::byte* to, const std::byte* from, std::size_t length) {
    if (aligned(to, 8))
        for (; length >= 8; from += 8, to += 8, length -= 8) {
            std::uint64_t v;
            std::memcpy(&v, from, 8);
            store(to, v);
        }
    while (length != 0) {
        std::size_t step = 1;
        if (length >= 8 && aligned(to, 8)) {
            std::uint64_t v;
            std::memcpy(&v, from, step = 8);
            store(to, v);
        } else if (length >= 4 && aligned(to, 4)) {
            std::uint32_t v;
            std::memcpy(&v, from, step = 4);
            store(to, v);
        } else if (length >= 2 && aligned(to, 2)) {
            std::uint16_t v;
            std::memcpy(&v, from, step = 2);
            store(to, v);
        } else {
            store(to, static_cast<std::uint8_t>(*from));
        }
        from += step, to += step, length -= step;
    }
}

/// Calls `piece(page address, offset into the copy, length)` for each page that the range touches.
template <class F>
void for_each_page(const Window& w, std::size_t offset, std::size_t length, F piece) {
    for (std::size_t done = 0; done < length;) {
        const std::size_t n = std::min(length - done, kPageSize - (offset + done) % kPageSize);
        piece(w.host_address(offset + done), done, n);
        done += n;
    }
}

inline void copy_out(const Window& w, std::size_t offset, void* out, std::size_t length) {
    for_each_page(w, offset, length, [out](const std::byte* page, std::size_t at, std::size_t n) {
        copy_from_page(page, static_cast<std::byte*>(out) + at, n);
    });
}

inline void copy_in(const Window& w, std::size_t offset, const void* in, std::size_t length) {
    for_each_page(w, offset, length, [in](std::byte* page, std::size_t at, std::size_t n) {
        copy_to_page(page, static_cast<const std::byte*>(in) + at, n);
    });
}

template <class T>
T rmw(std::byte* at, Rmw op, T operand, T expected) {
    auto* p = reinterpret_cast<T*>(at);
    switch (op) {
        case Rmw::exchange:
            return __atomic_exchange_n(p, operand, __ATOMIC_SEQ_CST);
        case Rmw::fetch_or:
            return __atomic_fetch_or(p, operand, __ATOMIC_SEQ_CST);
        case Rmw::fetch_and:
            return __atomic_fetch_and(p, operand, __ATOMIC_SEQ_CST);
        case Rmw::compare_exchange:
            __atomic_compare_exchange_n(p, &expected, operand, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
            return expected;
    }
    return T{};
}

/// TSan does not model fences, and every order that matters between real threads also goes through an event channel's
/// or a lock's atomics, which it does; so a fence is enough here.
inline void barrier(Barrier b) {
    switch (b) {
        case Barrier::read:
            return std::atomic_thread_fence(std::memory_order_acquire);
        case Barrier::write:
            return std::atomic_thread_fence(std::memory_order_release);
        case Barrier::full:
            return std::atomic_thread_fence(std::memory_order_seq_cst);
    }
}

}  // namespace xenrig::shared::raw
