// The one door to memory that another domain can change.
//
// Load once, into a private copy, and look at the copy: the peer may rewrite the page between any two loads. Order
// accesses with rmb, wmb and mb, as ring.h does; a plain load or store orders nothing. Atomics are full barriers.
//
// Offsets outside the window are our own mistake (a peer's offset is validated first) and abort.
#pragma once

#include <bit>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "xenrig/shared/raw.h"
#include "xenrig/shared/watcher.h"
#include "xenrig/shared/window.h"

namespace xenrig::shared {

using Where = std::source_location;

/// Copies `length` bytes out; no order among them, no atomicity beyond an aligned word.
inline void copy_out(const Window& w, std::size_t offset, void* out, std::size_t length,
                     Where where = Where::current()) {
    check(w.contains(offset, length), "a shared access lies inside its window", where);
    if (watcher) [[unlikely]]
        return watcher->load(w, offset, out, length, Fetch::once, where);
    raw::copy_out(w, offset, out, length);
}

/// Copies `length` bytes in; no order among them.
inline void copy_in(const Window& w, std::size_t offset, const void* in, std::size_t length,
                    Where where = Where::current()) {
    check(w.contains(offset, length), "a shared access lies inside its window", where);
    if (watcher) [[unlikely]]
        return watcher->store(w, offset, in, length, where);
    raw::copy_in(w, offset, in, length);
}

/// The same, visible at once on every memory model: for a guest's own payload, which the log of a migration must know
/// in the step in which it changes.
inline void copy_in_now(const Window& w, std::size_t offset, const void* in, std::size_t length,
                        Where where = Where::current()) {
    check(w.contains(offset, length), "a shared access lies inside its window", where);
    if (watcher) [[unlikely]]
        return watcher->store_now(w, offset, in, length, where);
    raw::copy_in(w, offset, in, length);
}

/// One load of a naturally aligned number.
template <class T>
    requires(std::is_integral_v<T>)
T load(const Window& w, std::size_t offset, Fetch fetch = Fetch::once, Where where = Where::current()) {
    check(w.contains(offset, sizeof(T)) && offset % sizeof(T) == 0, "a shared load is aligned and inside", where);
    if (watcher) [[unlikely]] {
        T value;
        watcher->load(w, offset, &value, sizeof value, fetch, where);
        return value;
    }
    return raw::load<T>(w.host_address(offset));
}

/// One store of a naturally aligned number.
template <class T>
    requires(std::is_integral_v<T>)
void store(const Window& w, std::size_t offset, T value, Where where = Where::current()) {
    check(w.contains(offset, sizeof(T)) && offset % sizeof(T) == 0, "a shared store is aligned and inside", where);
    if (watcher) [[unlikely]]
        return watcher->store(w, offset, &value, sizeof value, where);
    raw::store<T>(w.host_address(offset), value);
}

/// A whole object, fetched once into the caller's own copy.
template <class T>
    requires(std::is_trivially_copyable_v<T>)
T fetch(const Window& w, std::size_t offset, Where where = Where::current()) {
    T copy;
    copy_out(w, offset, &copy, sizeof copy, where);
    return copy;
}

namespace detail {
template <class T>
T rmw(const Window& w, std::size_t offset, Rmw op, T operand, T expected, Where where) {
    static_assert(std::is_unsigned_v<T> && sizeof(T) <= 8);
    check(w.contains(offset, sizeof(T)) && offset % sizeof(T) == 0, "a shared atomic is aligned and inside", where);
    if (watcher) [[unlikely]]
        return static_cast<T>(watcher->rmw(w, offset, sizeof(T), op, operand, expected, where));
    return raw::rmw<T>(w.host_address(offset), op, operand, expected);
}
}  // namespace detail

/// Each returns the old value and is a full barrier.
template <class T>
T exchange(const Window& w, std::size_t offset, T value, Where where = Where::current()) {
    return detail::rmw<T>(w, offset, Rmw::exchange, value, T{}, where);
}
template <class T>
T fetch_or(const Window& w, std::size_t offset, T bits, Where where = Where::current()) {
    return detail::rmw<T>(w, offset, Rmw::fetch_or, bits, T{}, where);
}
template <class T>
T fetch_and(const Window& w, std::size_t offset, T bits, Where where = Where::current()) {
    return detail::rmw<T>(w, offset, Rmw::fetch_and, bits, T{}, where);
}
/// Stores `value` when the old value is `expected`.
template <class T>
T compare_exchange(const Window& w, std::size_t offset, T expected, T value, Where where = Where::current()) {
    return detail::rmw<T>(w, offset, Rmw::compare_exchange, value, expected, where);
}

/// Loads before are ordered before loads and stores after.
inline void rmb(Where where = Where::current()) {
    if (watcher) [[unlikely]]
        return watcher->barrier(Barrier::read, where);
    raw::barrier(Barrier::read);
}
/// Stores before become visible before stores after.
inline void wmb(Where where = Where::current()) {
    if (watcher) [[unlikely]]
        return watcher->barrier(Barrier::write, where);
    raw::barrier(Barrier::write);
}
/// Everything before becomes visible before anything after is performed: the only one that orders a store with a load.
inline void mb(Where where = Where::current()) {
    if (watcher) [[unlikely]]
        return watcher->barrier(Barrier::full, where);
    raw::barrier(Barrier::full);
}

/// What comes next is decided afresh: fetching the same bytes again is right (the next request, the next look).
inline void new_decision() {
    if (watcher) [[unlikely]]
        watcher->new_decision();
}

}  // namespace xenrig::shared
